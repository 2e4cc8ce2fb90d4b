#!/bin/bash
# reboot.sh [SUITE]: a run of `ralph -d --survive-reboot` in a guest of vm.sh whose power fails in mid-iteration, and that
# is rebooted in good order in another: nobody but its service manager takes the run up, and it ends verified.
set -euo pipefail
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"

SUITE=${1:-trixie}
OURS='' RUN=''
# how long an emulated machine may take for a step, in seconds
PATIENCE=600

# shellcheck disable=SC2317  # called by the trap
clean_up() {
  local status=$?
  set +e; trap '' INT TERM
  if [ "$status" != 0 ] && [ -n "$RUN" ]; then look; fi
  if [ -n "$OURS" ]; then vm down; fi
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

vm() { "$BENCH_SCRIPTS/vm.sh" "$1" "$SUITE" "${@:2}"; }
alice() { vm exec "$@"; }
in_home() { alice env -C "/home/alice/$1" "${@:2}"; }

# What systemd says of the unit, and the unit itself; a user alone may not read it
unit_journal() { alice sudo journalctl --no-pager --quiet USER_UNIT=stockade-resume.service + _SYSTEMD_USER_UNIT=stockade-resume.service; }

# Whatever may explain a failure
look() {
  unit_journal || true
  alice sh -c 'cat ~/.local/state/stockade/runs/*/journal.jsonl ~/.local/state/stockade/runs/*/supervisor.log' || true
  alice podman --remote ps -a || true
}

# On a busy host an emulated machine takes longer to start a user's service manager than systemd waits for it
# shellcheck disable=SC2016
give_time() {
  alice sudo sh -euc 'printf "[Service]\nTimeoutStartSec=%s\n" "$1" > /etc/systemd/system/user@.service.d/bench-time.conf' _ "$PATIENCE"
}

# until_there FILE: the agent has come so far
# shellcheck disable=SC2016
until_there() {
  alice timeout "$PATIENCE" sh -c 'until [ -e "$1" ]; do sleep 0.2; done' _ "/home/alice/project/$1" || die "the agent does not come to $1"
}

# The user's service manager comes later than ssh, and nobody but its unit takes the run up
# shellcheck disable=SC2016
until_taken_up() {
  alice timeout "$PATIENCE" sh -c 'until systemctl --user --quiet is-active stockade-resume.service; do sleep 1; done' 2> /dev/null ||
    die "the unit is not active"
}

# What the agent says when it is cut off is no claim: it had not ended
# shellcheck disable=SC2016
make_work() {
  alice sh -euc '
    rm -rf ~/image ~/project; mkdir -p ~/image/bin ~/image/workspace ~/image/tmp ~/project
    cp /srv/bench/busybox ~/image/bin/
    printf "%s\n" "FROM scratch" "COPY . /" "ENV PATH=/bin" "RUN [\"/bin/busybox\", \"--install\", \"-s\", \"/bin\"]" > ~/image/Containerfile
    cat > ~/project/agent.sh' <<'AGENT'
n=$(cat count 2>/dev/null || echo 0); n=$((n+1)); echo $n >count
echo "life $n"
case $n in
  2 | 4) echo '<promise>COMPLETE</promise>'; touch "begun-$n"; sleep 100000 ;;
  5) touch "begun-$n"; echo '<promise>COMPLETE</promise>' ;;
esac
AGENT
  in_home image /srv/bench/stockade build -q -t localhost/reboot .
}

# count TEXT: lines of the journal that hold it
count() { printf '%s\n' "$JOURNAL" | grep -c "$1" || true; }
# expect WHAT COUNT TEXT
expect() { [ "$(count "$3")" = "$2" ] || { printf '%s\n' "$JOURNAL" >&2; die "$1: $(count "$3") instead of $2"; }; }

need_toolchain
need_packages busybox-static
make_service_user
"$BENCH_SCRIPTS/build.sh" stockade
"$BENCH_SCRIPTS/slots.sh" is-up "vm/$SUITE" || OURS=yes
vm up
vm put "$SERVE/bin/stockade" stockade
vm put /bin/busybox busybox
give_time
step 'an image and an agent in the guest' make_work
RUN=$(in_home project /srv/bench/stockade ralph -d --survive-reboot --network none --image localhost/reboot --prompt Work \
  --completion-promise COMPLETE --max-iterations 9 --check 'test -e begun-5' -- sh agent.sh)
say "the run $RUN"
until_there begun-2
vm cut
until_there begun-4
vm reboot
until_taken_up
alice /srv/bench/stockade wait "$RUN" || die "the run does not end well"
unit_journal
in_home project /srv/bench/stockade report "$RUN"
JOURNAL=$(alice sh -c 'cat ~/.local/state/stockade/runs/*/journal.jsonl')
expect 'taken up' 2 '"event":"resumed"'
expect 'ended' 5 '"event":"ended"'
expect 'cut short' 2 '"cut":"machine-down"'
expect 'claims' 1 '"claim":"complete"'
expect 'checkpoints' 6 '"event":"checkpoint"'
expect 'verified' 1 '"verdict":{"verified"'
[ -z "$(alice podman --remote ps -aq)" ] || die 'a container is left'
RUN=''
say "a run survives a power failure and a reboot on $SUITE"
