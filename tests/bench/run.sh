#!/bin/bash
# run.sh [ARGUMENT...]: every check, then the integration tests against each slot, as the service's user.
# With arguments (a filter, --nocapture: the test program's own) only the integration tests are run.
#   STOCKADE_TEST_PODMANS  the slots, default "host trixie"
#   STOCKADE_TEST_MINUTES  the longest that one slot may take, default 30
set -euo pipefail
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"

read -ra SLOTS <<< "${STOCKADE_TEST_PODMANS:-host trixie}"
MINUTES=${STOCKADE_TEST_MINUTES:-30}
LOGS=$BENCH/logs
ROWS=() PASSED=0 FAILED=0 OURS=() COMMAND=()

# ---- ends with everything it started ----------------------------------------

clean_up() {
  local slot
  set +e; trap '' INT TERM
  end_group TERM
  for slot in "${OURS[@]}"; do slot_command "$slot" down; "${COMMAND[@]}" 9>&-; done
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# child LOG COMMAND...: runs it as a group; what it says goes to LOG too
child() {
  local log=$1 status=0 reader; shift
  : > "$log"
  start_group "$@" > "$log" 2>&1
  tail --pid="$GROUP" -s 0.2 -n +1 -f "$log" 9>&- & reader=$!
  wait_group || status=$?
  wait "$reader" || true
  return "$status"
}

# ---- counting ---------------------------------------------------------------

# count LOG WORD: sums what libtest says: "test result: ok. 3 passed; 0 failed; 1 ignored; ..."
count() { { grep -aoE '^test result: .*' "$1" || true; } | { grep -oE "[0-9]+ $2;" || true; } | awk '{ n += $1 } END { print n + 0 }'; }

# row NAME VERSION PASSED FAILED IGNORED
row() {
  ROWS+=("$(printf '%-16s %-16s %7d %7d %8d' "$@")")
  PASSED=$((PASSED + $3)) FAILED=$((FAILED + $4))
}

# tests_row NAME VERSION LOG STATUS: a run that failed without saying so, or ran nothing, counts as one failure
tests_row() {
  local passed failed ignored
  passed=$(count "$3" passed) failed=$(count "$3" failed) ignored=$(count "$3" ignored)
  if [ "$failed" = 0 ]; then
    if [ "$4" != 0 ]; then say "$1: ended with status $4 without a failed test (124: took over $MINUTES minutes)"; failed=1
    elif [ "$passed" = 0 ]; then say "$1: no test ran"; failed=1; fi
  fi
  row "$1" "$2" "$passed" "$failed" "$ignored"
}

table() {
  local r
  printf '\n%-16s %-16s %7s %7s %8s\n' what version passed failed 'not run'
  for r in "${ROWS[@]}"; do printf '%s\n' "$r"; done
  printf '%d passed, %d failed\n' "$PASSED" "$FAILED"
}

# ---- checks -----------------------------------------------------------------

run_checks() {
  local name status passed=0 failed=0 not_run=0
  for name in $("$BENCH_SCRIPTS/checks.sh"); do
    status=0
    child "$LOGS/$name.log" "$BENCH_SCRIPTS/checks.sh" "$name" || status=$?
    case $name in
      *_tests) tests_row "$name" - "$LOGS/$name.log" "$status" ;;
      *)
        case $status in
          0) passed=$((passed + 1)) ;;
          77) not_run=$((not_run + 1)) ;;
          *) say "$name: FAILED"; failed=$((failed + 1)) ;;
        esac ;;
    esac
  done
  row 'other checks' - "$passed" "$failed" "$not_run"
}

# ---- slots ------------------------------------------------------------------

# slot_command SLOT up|down: sets COMMAND
slot_command() {
  if [ "$1" = host ]; then COMMAND=("$BENCH_SCRIPTS/host.sh" "$2"); else COMMAND=("$BENCH_SCRIPTS/chroot.sh" "$2" "$1"); fi
}

# Brings a slot up, and notes it as ours to take down unless it was up before
slot_up() {
  select_slot "$1"
  running "$STATE/service.pid" || OURS+=("$1")
  slot_command "$1" up
  child "$LOGS/$1-up.log" "${COMMAND[@]}"
}

# What an earlier run left. Containers leave files of subordinate ids: only root removes those
empty_slot() {
  as_service "$SERVE/bin/podman-$SLOT" rm --all --force --time 0 > /dev/null
  as_root find "$SHARED" -xdev -mindepth 1 -delete
}

# run_slot SLOT [ARGUMENT...]
run_slot() {
  local environment status=0 slot=$1 log=$LOGS/$1.log; shift
  if ! slot_up "$slot"; then row "$slot" 'not up' 0 1 0; return; fi
  mapfile -t environment < <(slot_environment)
  empty_slot
  say "$slot: $(version), integration tests as $SERVICE_USER"
  cd "$SHARED"
  child "$log" "${AS_SERVICE[@]}" "${environment[@]}" RUST_BACKTRACE="${RUST_BACKTRACE:-0}" \
    timeout --kill-after=30 "$((MINUTES * 60))" "$SERVE/bin/integration" --include-ignored "$@" || status=$?
  cd "$REPO"
  tests_row "$slot" "$(version)" "$log" "$status"
}

# The real agent on the host slot: one test
run_patchpal() {
  local status=0
  child "$LOGS/patchpal.log" timeout --kill-after=30 "$((MINUTES * 60))" "$BENCH_SCRIPTS/patchpal.sh" || status=$?
  if [ "$status" = 0 ]; then row patchpal "$(version)" 1 0 0
  else say "patchpal: FAILED with status $status"; row patchpal - 0 1 0; fi
}

# ---- all of it --------------------------------------------------------------

[ "${1:-}" != -- ] || shift

need_toolchain
need_packages jq util-linux procps
make_service_user
mkdir -p "$LOGS"
lock_bench
start=$EPOCHREALTIME
if [ $# -gt 0 ]; then say "with arguments: the integration tests only"; else run_checks; fi
if child "$LOGS/build.log" "$BENCH_SCRIPTS/build.sh"; then
  for slot in "${SLOTS[@]}"; do
    run_slot "$slot" "$@"
    # with arguments, only the integration tests were asked for
    if [ "$slot" = host ] && [ $# = 0 ]; then run_patchpal; fi
  done
else
  row 'integration' 'not built' 0 1 0
fi
say "all of it: $(seconds_since "$start") s"
table
[ "$FAILED" = 0 ]
