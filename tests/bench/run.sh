#!/bin/bash
# run.sh [ARGUMENT...]: every check and the matrix, in jobs: on each slot the integration tests and the others
# that need a service, on the host's the real agent too; in each guest the guests' tests. At the end a table, and what
# failed. With arguments (a filter, --nocapture: the test programs' own) only the integration tests are run, slot by slot.
#   STOCKADE_TEST_PODMANS, STOCKADE_TEST_VMS  which slots, as slots.sh has them
#   STOCKADE_TEST_JOBS     how many slots at once, default one. The checks and the guests take, beside them, what
#                          processors the services' tests leave idle, which wait for much, and a tenth of the others
#   STOCKADE_TEST_MINUTES  the longest that one suite may take on one slot, default 60
#   STOCKADE_TEST_WHOLE=1  every test on every slot; otherwise the tests of the loop alone are run on the first and the
#                          last service, the oldest and the newest release, and in the first guest
#   STOCKADE_UPDATE=1      so too, without the checks; docs/compatibility.md is written if nothing fails (make compatibility)
set -euo pipefail
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/bench/results.sh
. "$BENCH_SCRIPTS/results.sh"
# shellcheck source=tests/bench/dependencies.sh
. "$BENCH_SCRIPTS/dependencies.sh"

MINUTES=${STOCKADE_TEST_MINUTES:-60}
LOGS=$BENCH/logs
UP_LOG=$LOGS/up.log
AT_ONCE=${STOCKADE_TEST_JOBS:-1}
OURS=()
declare -A AT_WORK=()   # the jobs, by process
BESIDE=''               # the one of them that takes what processors others leave, and a little more

# The test programs that are run on services. What is not written yet is not run
ON_SERVICES=(integration)
[ ! -e "$REPO/tests/differential/main.rs" ] || ON_SERVICES+=(differential)

# ---- ends with everything it started ----------------------------------------

# shellcheck disable=SC2317  # called by the trap
clean_up() {
  set +e; trap '' INT TERM
  end_group TERM
  if [ ${#AT_WORK[@]} -gt 0 ]; then kill -TERM "${!AT_WORK[@]}"; wait "${!AT_WORK[@]}"; fi
  if [ ${#OURS[@]} -gt 0 ]; then "$BENCH_SCRIPTS/slots.sh" down "${OURS[@]}" 9>&-; fi
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

# ---- checks -----------------------------------------------------------------

run_checks() {
  local name status start passed=0 failed=0 not_run=0 all=$EPOCHREALTIME
  for name in $("$BENCH_SCRIPTS/checks.sh"); do
    status=0 start=$EPOCHREALTIME
    child "$LOGS/$name.log" "$BENCH_SCRIPTS/checks.sh" "$name" || status=$?
    case $name in
      *_tests) tests_row "$name" "$LOGS/$name.log" "$status" "$start" ;;
      *)
        case $status in
          0) passed=$((passed + 1)) ;;
          77) not_run=$((not_run + 1)) ;;
          *) failure "$name: status $status, see $LOGS/$name.log"; failed=$((failed + 1)) ;;
        esac ;;
    esac
  done
  row 'other checks' "$passed" "$failed" "$not_run" "$all"
}

# ---- services ---------------------------------------------------------------

# What an earlier run left. Containers leave files of subordinate ids: only root removes those. Images go because every
# podman that starts reads about all of them, and one starts at each container's end
# shellcheck disable=SC2016
empty_slot() {
  local podman=$SERVE/bin/podman-$SLOT
  as_service "$podman" rm --all --force --time 0 > /dev/null
  as_service sh -euc '
    "$1" images --format "{{.Repository}}:{{.Tag}}" | { grep "^localhost/t-" || true; } | xargs -r "$1" rmi --force > /dev/null
    "$1" image prune --force > /dev/null' _ "$podman" || say "$TIER/$SLOT: some images of earlier tests stay"
  as_root find "$SHARED" -xdev -mindepth 1 -delete
}

# run_on_service SUITE [ARGUMENT...]: a test program on the selected slot, as the service's user
run_on_service() {
  local environment status=0 suite=$1 log=$LOGS/$TIER-$SLOT-$1.log start=$EPOCHREALTIME; shift
  mapfile -t environment < <(slot_environment)
  empty_slot
  say "$TIER/$SLOT: Podman $VERSION, $suite tests as $SERVICE_USER"
  cd "$SHARED"
  child "$log" timeout --kill-after=30 "$((MINUTES * 60))" "${AS_SERVICE[@]}" "${environment[@]}" \
    RUST_BACKTRACE="${RUST_BACKTRACE:-0}" "$SERVE/bin/$suite" --include-ignored "$@" || status=$?
  cd "$REPO"
  tests_row "$suite" "$log" "$status" "$start"
}

# What is not run on the selected slot, as words for the test program: what looks for growth over hundreds of lives is run
# on one release of each tier, the first; the loop by itself on the first and the last service, which are the oldest and
# the newest release, and in the first guest, where each life takes seconds
left_out() {
  local of_tier
  [ -z "$WHOLE" ] || return 0
  case $TIER in
    vm) mapfile -t of_tier < <("$BENCH_SCRIPTS/slots.sh" list | grep '^vm/') ;;
    *) mapfile -t of_tier < <("$BENCH_SCRIPTS/slots.sh" list | grep -v '^vm/') ;;
  esac
  case $TIER/$SLOT in
    "${of_tier[0]}") ;;
    vm/*) printf '%s\n' --skip ralph:: ;;
    "${of_tier[-1]}") ;;
    *) printf '%s\n' --skip ralph:: ;;
  esac
  [ "$TIER/$SLOT" = "$(printf '%s\n' "${of_tier[@]}" | grep -m 1 "^$TIER/")" ] || printf '%s\n' --skip endurance::
}

# run_service [ARGUMENT...]: all that is run on the selected slot
run_service() {
  local suite more
  learn_facts "$(version)" as_service "$SERVE/bin/podman-$SLOT"
  if [ $# -gt 0 ]; then run_on_service integration "$@"; return; fi
  for suite in "${ON_SERVICES[@]}"; do
    case $suite in
      integration) mapfile -t more < <(left_out) ;;
      *) more=() ;;
    esac
    run_on_service "$suite" "${more[@]}"
  done
  if [ "$SLOT" = host ]; then run_script patchpal; run_script lies; fi
}

# run_script NAME: the real agent, or agents that lie to the real pytest; one test
run_script() {
  local name=$1 status=0 start=$EPOCHREALTIME
  child "$LOGS/$name.log" timeout --kill-after=30 "$((MINUTES * 60))" "$BENCH_SCRIPTS/$name.sh" || status=$?
  if [ "$status" = 0 ]; then row "$name" 1 0 0 "$start"
  else failure "$name: status $status, see $LOGS/$name.log"; row "$name" 0 1 0 "$start"; fi
}

# ---- guests -----------------------------------------------------------------

run_guest() {
  local status=0 log=$LOGS/vm-$SLOT-guest.log start=$EPOCHREALTIME more
  learn_facts "$("$BENCH_SCRIPTS/vm.sh" version "$SLOT")" "$BENCH_SCRIPTS/vm.sh" exec "$SLOT" podman
  say "vm/$SLOT: Podman $VERSION, guest tests"
  # beside others it has little of the processors at times
  [ -z "${BENCH_NICE:-}" ] || export STOCKADE_TEST_SLOWNESS=12
  mapfile -t more < <(left_out)
  child "$log" "$BENCH_SCRIPTS/vm.sh" test "$SLOT" "${more[@]}" || status=$?
  if [ "$status" = 70 ]; then
    # emulated processors trip over a kernel that patches itself: once a machine, not twice
    say "vm/$SLOT: once more, on a machine brought up anew"
    mv "$log" "${log%.log}-panic.log"
    "$BENCH_SCRIPTS/vm.sh" down "$SLOT"
    "$BENCH_SCRIPTS/vm.sh" up "$SLOT"
    status=0
    child "$log" "$BENCH_SCRIPTS/vm.sh" test "$SLOT" "${more[@]}" || status=$?
  fi
  tests_row guest "$log" "$status" "$start"
}

# ---- slots ------------------------------------------------------------------

is_up() { "$BENCH_SCRIPTS/slots.sh" is-up "$1"; }

# bring_up TIER/SLOT...: those that were down before are ours to take down
bring_up() {
  local name
  for name in "$@"; do is_up "$name" || OURS+=("$name"); done
  child "$UP_LOG" "$BENCH_SCRIPTS/slots.sh" up "$@" || true
}

# give_back TIER/SLOT: takes it down before the end, if it is ours: a machine is much memory
give_back() {
  local name ours=()
  for name in "${OURS[@]}"; do
    if [ "$name" = "$1" ]; then "$BENCH_SCRIPTS/slots.sh" down "$1" 9>&-; else ours+=("$name"); fi
  done
  OURS=("${ours[@]}")
}

# select_up TIER/SLOT: selects it; false, and a failure, where it did not come up
select_up() {
  local why
  select_slot "${1#*/}"
  TIER=${1%/*} DEBIAN=- VERSION=- RUNTIME=- LIMITS=-
  ! is_up "$1" || return 0
  why=$(sed -n "s|^== $1: NOT UP: ||p" "$UP_LOG" | tail -n 1)
  VERSION='not up'
  failure "${why:-$(sed -n 's/^bench: //p' "$UP_LOG" | tail -n 1)}"
  row - 0 1 0 "$EPOCHREALTIME"
  return 1
}

# run_filtered ARGUMENT...: on one service after the other, before one's eyes
run_filtered() {
  local name
  for name in $("$BENCH_SCRIPTS/slots.sh" list); do
    case $name in vm/*) continue ;; esac
    bring_up "$name"
    if select_up "$name"; then run_service "$@"; fi
    give_back "$name"
  done
}

# ---- jobs -------------------------------------------------------------------

# "checks" or TIER/SLOT
job_log() { echo "$LOGS/job-${1//\//-}.log"; }
job_rows() { echo "$LOGS/job-${1//\//-}.tsv"; }

# run_job NAME: as a process of its own, that writes what it says and its rows into files
run_job() {
  trap clean_up EXIT
  trap 'exit 143' TERM
  OURS=() AT_WORK=() RESULTS=$(job_rows "$1") UP_LOG=$LOGS/job-${1//\//-}-up.log
  if [ "$1" = checks ]; then run_checks; return; fi
  bring_up "$1"
  if select_up "$1"; then
    case $1 in vm/*) run_guest ;; *) run_service ;; esac
  fi
  give_back "$1"
}

# job_ended NAME STATUS: shows what it said
job_ended() {
  cat "$(job_log "$1")"
  TIER=- SLOT=- RESULTS=$(job_rows "$1")
  [ "$2" = 0 ] || { failure "$1: cut short: status $2, see $(job_log "$1")"; row "${1##*/}" 0 1 0 "$EPOCHREALTIME"; }
}

begin_job() {
  : > "$(job_rows "$1")"
  say "$1: begun ($(job_log "$1"))"
  run_job "$1" > "$(job_log "$1")" 2>&1 < /dev/null &
  AT_WORK[$!]=$1
}

# begin_beside NAME: as a job that takes what processors others leave, and a tenth: one with none is not slow but wrong
begin_beside() {
  BENCH_NICE=10 begin_job "$1"
  BESIDE=$1
}

# await_job: until one has ended
await_job() {
  local process status=0
  wait -n -p process "${!AT_WORK[@]}" || status=$?
  [ "${AT_WORK[$process]}" != "$BESIDE" ] || BESIDE=''
  job_ended "${AT_WORK[$process]}" "$status"
  unset "AT_WORK[$process]"
}

# run_jobs NAME...: those that are patient one after the other, beside the others; their rows are in this order. The
# first guest, which has the most to do, is the last to be begun: by then there is little that it would be beside
run_jobs() {
  local name at_once all=$RESULTS slots=() patient=()
  for name in "$@"; do
    case $name in
      "$BESIDE") ;;
      checks) patient+=("$name") ;;
      vm/*) patient=("$name" "${patient[@]}") ;;
      *) slots+=("$name") ;;
    esac
  done
  while [ $((${#slots[@]} + ${#patient[@]} + ${#AT_WORK[@]})) -gt 0 ]; do
    at_once=$AT_ONCE
    [ -z "$BESIDE" ] || at_once=$((AT_ONCE + 1))
    # at the end there is nobody to be patient with
    [ ${#slots[@]} -gt 0 ] || { slots=("${patient[@]}"); patient=(); }
    if [ ${#patient[@]} -gt 0 ] && [ -z "$BESIDE" ]; then
      begin_beside "${patient[0]}"; patient=("${patient[@]:1}")
    elif [ ${#slots[@]} -gt 0 ] && [ ${#AT_WORK[@]} -lt "$at_once" ]; then
      begin_job "${slots[0]}"; slots=("${slots[@]:1}")
    else
      await_job
    fi
  done
  RESULTS=$all
  for name in "$@"; do cat "$(job_rows "$name")" >> "$RESULTS"; done
}

# ---- all of it --------------------------------------------------------------

[ "${1:-}" != -- ] || shift
UPDATE=${STOCKADE_UPDATE:-}
WHOLE=${STOCKADE_TEST_WHOLE:-$UPDATE}
# not for the tests, which would write their own documents
unset STOCKADE_UPDATE
if [ -n "$UPDATE" ] && [ -n "$*${STOCKADE_TEST_PODMANS:-}${STOCKADE_TEST_VMS:-}" ]; then
  die 'STOCKADE_UPDATE: docs/compatibility.md is written of the whole matrix, without arguments and STOCKADE_TEST_*'
fi

need_toolchain
need_packages jq util-linux procps
"$BENCH_SCRIPTS/slots.sh" list > /dev/null
make_service_user
mkdir -p "$LOGS"
lock_bench
begin_results
start=$EPOCHREALTIME
jobs=()
seed_dependencies
if [ $# -gt 0 ]; then say 'with arguments: the integration tests only'
elif [ -n "$UPDATE" ]; then say 'for docs/compatibility.md: the matrix only'
# beside the release, of which one processor is enough for most
else jobs=(checks); begin_beside checks; fi
built=0
child "$LOGS/build.log" "$BENCH_SCRIPTS/build.sh" || built=$?
if [ "$built" != 0 ]; then failure "the test programs could not be built, see $LOGS/build.log"; row build 0 1 0 "$start"
elif [ $# -gt 0 ]; then run_filtered "$@"
else mapfile -t -O "${#jobs[@]}" jobs < <("$BENCH_SCRIPTS/slots.sh" list); fi
run_jobs "${jobs[@]}"
TIER=- SLOT=-
[ "$built" != 0 ] || keep_dependencies
say "all of it: $(seconds_since "$start") s"
table
all_passed
[ -z "$UPDATE" ] || write_compatibility
