# shellcheck shell=bash disable=SC2034,SC2154
# What patchpal.sh, agents.sh and lies.sh have in common: an agent works in its sandbox for a scripted server, and a person's check
# looks at what it claims. Sourced beside lib.sh, never run. It sets the traps: what was started ends with the script.

OURS='' WORK='' PORT=''
NAME=''      # of the container, or of the run
OUTPUT=''    # shown before a failure
PASSED=0
# a network that reaches this machine's loopback
LOOPBACK=(--network slirp4netns:allow_host_loopback=true --add-host host.containers.internal:10.0.2.2)

# shellcheck disable=SC2317  # called by the trap
clean_up() {
  set +e; trap '' INT TERM
  end_group TERM
  if [ -n "$WORK" ]; then
    end_beside
    [ -z "$NAME" ] || as_service "$SERVE/bin/podman-host" rm --force --ignore --time 0 "$NAME" > /dev/null
    as_root rm -rf --one-file-system "$WORK"
    rm -f "$STATE"/scripted-*
  fi
  if [ -n "$OURS" ]; then "$BENCH_SCRIPTS/host.sh" down 9>&-; fi
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# ---- what runs beside the agent ---------------------------------------------

# start_beside NAME COMMAND...: in the background and in WORK, as the service's user
start_beside() {
  local name=$1; shift
  (cd "$WORK" && exec setsid "${TYPED[@]}" "$@") < /dev/null > "$STATE/scripted-$name.out" 9>&- &
  record_pid "$STATE/scripted-$name.pid" $!
}

# first_line NAME: sets FIRST to what it prints first, which may take a minute
first_line() {
  local n
  for ((n = 0; n < 600; n++)); do
    if read -r FIRST < "$STATE/scripted-$1.out"; then return; fi
    running "$STATE/scripted-$1.pid" || break
    sleep 0.1
  done
  die "$1 has printed nothing"
}

# signal_beside SIGNAL NAME
signal_beside() {
  local pid
  ! running "$STATE/scripted-$2.pid" || { read -r pid _ < "$STATE/scripted-$2.pid"; kill "-$1" "$pid"; }
}

# stop_beside NAME
stop_beside() { stop_recorded "$STATE/scripted-$1.pid"; }

end_beside() {
  local file name
  for file in "$STATE"/scripted-*.pid; do
    [ -e "$file" ] || continue
    name=${file##*/scripted-}; name=${name%.pid}
    # a stopped process is not ended gently
    signal_beside CONT "$name"
    stop_beside "$name"
  done
}

# start_model SCRIPT: with a record of its own; sets PORT
start_model() {
  as_service rm -f "$WORK/record"
  give "$BENCH_SCRIPTS/scripted.py" scripted.py
  give "$BENCH_SCRIPTS/$1" "$1"
  start_beside model python3 -B "$1" record
  first_line model
  PORT=$FIRST
}

make_key() { KEY=sk-$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n'); }

# ---- the workspace ----------------------------------------------------------

# make_repository DIRECTORY [IGNORED]: new and as the service's user, as the guide has it
# shellcheck disable=SC2016
make_repository() {
  as_root rm -rf --one-file-system "$1"
  as_service mkdir -p "$1"
  as_service sh -euc 'cd "$1"; git init --quiet; git config user.name "Ralph Test"; git config user.email ralph@test.local
    touch .gitkeep; [ -z "$2" ] || echo "$2" > .gitignore
    git add .; git commit --quiet -m "Initial commit - Ralph sandbox"' _ "$1" "${2:-}"
}

# make_checks: what the person knows of the calculator, in WORK/checks; sets CHECKED to the flags that run it
make_checks() {
  as_service mkdir -p "$WORK/checks"
  give <(cat <<'EOF'
import sys

import pytest

sys.path.insert(0, "/workspace")
import calculator


def test_subtract():
    assert calculator.subtract(5, 3) == 2


def test_divide():
    assert calculator.divide(6, 3) == 2
    with pytest.raises(ValueError):
        calculator.divide(1, 0)
EOF
  ) checks/test_person.py
  CHECKED=(--check 'pytest -q -p no:cacheprovider /check' --check-dir "$WORK/checks")
}

# ralph AGENT DIRECTORY OUTPUT FLAG...: the loop; sets STATUS
ralph() {
  local agent=$1 directory=$2 output=$3; shift 3
  STATUS=0
  typed "$directory" stockade ralph --agent "$agent" --image "$IMAGE" --name "$NAME" "${LOOPBACK[@]}" \
    --allow-unenforced-limits --completion-promise COMPLETE --max-iterations 5 "$@" > "$output" 2>&1 || STATUS=$?
}

# ---- what has to hold -------------------------------------------------------

# holds TEXT COMMAND...
holds() {
  local text=$1; shift
  "$@" || { [ -z "$OUTPUT" ] || cat "$OUTPUT" >&2; die "$NAME: not so: $text"; }
  printf '   ok: %s\n' "$text"
  PASSED=$((PASSED + 1))
}

is() { [ "$1" = "$2" ] || { printf 'this is:\n%s\nand not:\n%s\n' "$1" "$2" >&2; return 1; }; }
stockade() { "${TYPED[@]}" stockade "$@"; }

# iterations: what each of the run's claimed, and the status of its check
iterations() {
  stockade report --format json "$NAME" | jq --raw-output '.report.iterations | map("\(.claim) \(.check)") | join(", ")'
}

# on_record FILTER [JQ-OPTION...]: over all requests that the model has had
on_record() { jq --exit-status --slurp --arg key "$KEY" "${@:2}" "$1" "$WORK/record" > /dev/null; }
