#!/bin/bash
# demo.sh: the main job, shown: builds Stockade, brings rootless Podman up, makes a Python image through Stockade and
# lets the example's agent work in a sandbox, by the guide's own command lines. No registry, no API key.
# The exit status is the agent's.
set -euo pipefail
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"

AGENT=(python ralph.py --prompt-file prompt.md --completion-promise COMPLETE --max-iterations 10)
OURS='' WORK=''

# shellcheck disable=SC2317  # called by the trap
clean_up() {
  set +e; trap '' INT TERM
  end_group TERM
  if [ -n "$WORK" ]; then as_root rm -rf --one-file-system "$WORK"; fi
  if [ -n "$OURS" ]; then "$BENCH_SCRIPTS/host.sh" down 9>&-; fi
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# The example, as a person would lay it out
make_workspace() {
  make_work demo
  as_service mkdir -p "$WORK/ralph-sandbox"
  give "$REPO/examples/agent/ralph.py" ralph-sandbox/ralph.py
  give "$REPO/examples/agent/prompt.md" ralph-sandbox/prompt.md
  give "$REPO/examples/agent/test_calculator.py" ralph-sandbox/test_calculator.py
  give "$REPO/examples/agent/Containerfile.demo" ralph-sandbox/Dockerfile.ralph
  give <(printf '%s\n' PATCHPAL_MODEL=scripted PATCHPAL_REQUIRE_PERMISSION=false) ralph-sandbox/.env.ralph
  as_service chmod 600 "$WORK/ralph-sandbox/.env.ralph"
  give_python_base
}

# typed, on the person's own terminal, or else on one made for it
typed_on_terminal() {
  local directory=$1; shift
  if [ -t 0 ] && [ -t 1 ]; then
    show_typed "$directory" "$@"
    (cd "$directory" && exec "${TYPED[@]}" "$@")
  else
    start_typed_on_terminal /dev/null /dev/null "$directory" "$@"
    wait_group
  fi
}

# What the service can enforce: the controllers that it has been given
print_limits() {
  local controllers c
  controllers=$(as_service "$SERVE/bin/podman-host" info --format '{{.Host.CgroupControllers}}')
  for c in memory cpu pids; do
    if [[ $controllers =~ (\[| )$c(\]| ) ]]; then say "limit $c: enforceable, this service has the $c controller"
    else say "limit $c: NOT enforced, this service has no $c controller (allowed here by --allow-unenforced-limits)"; fi
  done
}

print_files() {
  local strangers
  typed "$WORK/ralph-sandbox" ls -l
  strangers=$(find "$WORK/ralph-sandbox" ! -uid "$SERVICE_UID" -print)
  [ -z "$strangers" ] || die "files that do not belong to $SERVICE_USER: $strangers"
  say "every file in the workspace belongs to $SERVICE_USER"
}

print_nothing_left() {
  local left
  typed "$WORK" stockade ps -a
  left=$(as_service "$SERVE/bin/podman-host" ps --all --quiet)
  [ -z "$left" ] || die "containers are left: $left"
  say "no container is left"
}

look_after() {
  print_limits
  print_nothing_left
  print_files
}

prepare() {
  prepare_host bsdutils
  make_workspace
  # what earlier demonstrations left untagged in the private store
  as_service "$SERVE/bin/podman-host" image prune --force > /dev/null
}

start=$EPOCHREALTIME
prepare
ready=$EPOCHREALTIME
step 'a local Python image, from Debian packages' typed "$WORK" stockade build -t "$PYTHON_BASE" base
typed "$WORK/ralph-sandbox" stockade build -f Dockerfile.ralph -t ralph-env .
status=0
typed_on_terminal "$WORK/ralph-sandbox" stockade run -it --rm --name ralph-test -v "$WORK/ralph-sandbox:/workspace:Z" \
  --env-file .env.ralph --memory=2g --cpus=2 --pids-limit=100 --network none --allow-unenforced-limits \
  ralph-env "${AGENT[@]}" || status=$?
say "the agent's exit status: $status"
# what is found afterwards may turn success into failure, and never hides the agent's own
if [ "$status" = 0 ]; then look_after
else (look_after) || true; fi
say "prepared in $(seconds_since "$start" "$ready") s, shown in $(seconds_since "$ready") s"
exit "$status"
