#!/bin/bash
# slots.sh list|up|down|is-up [TIER/SLOT...]: the Podmans that the tests run against (the table is tests/bench/slots);
# all that are selected unless some are named.
#   list  one TIER/SLOT a line
#   up    two at a time: for each its release, or one line that says why it is not up; then the exit status is 1
#   is-up TIER/SLOT  by its exit status
#   STOCKADE_TEST_PODMANS  slots by name, services and guests alike; "none" for none
#   STOCKADE_TEST_VMS      the guests, where they are not those that STOCKADE_TEST_PODMANS names
set -euo pipefail
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"

AT_ONCE=2
PODMANS=${STOCKADE_TEST_PODMANS:-} VMS=${STOCKADE_TEST_VMS:-}
LOGS=$BENCH/logs
COMMAND=()
declare -A COMING=()   # what is being brought up, by process group
BEGUN=() INTERRUPTED=''

# ---- ends what it began -----------------------------------------------------

# shellcheck disable=SC2317  # called by the trap
clean_up() {
  local group
  set +e; trap '' INT TERM
  for group in "${!COMING[@]}"; do kill -TERM -- "-$group" 2>/dev/null; done
  if [ -n "$INTERRUPTED" ]; then down "${BEGUN[@]}"; fi
}
trap clean_up EXIT
trap 'INTERRUPTED=yes; exit 130' INT
trap 'INTERRUPTED=yes; exit 143' TERM

# ---- which ------------------------------------------------------------------

# table: "TIER/SLOT [choice]" a line
table() { awk '!/^#/ && NF { print $2 "/" $1, $3 }' "$BENCH_SCRIPTS/slots"; }

# by_default services|guests
by_default() {
  table | awk -v guests="$1" '$2 == "" && (guests == "guests") == ($1 ~ /^vm\//) { print $1 }'
}

# named services|guests NAME...: "none" is none; a name that the table does not have is not an error here
named() {
  local kind=$1 name; shift
  for name in "$@"; do
    table | awk -v guests="$kind" -v name="$name" \
      '{ split($1, part, "/") } part[2] == name && (guests == "guests") == (part[1] == "vm") { print $1 }'
  done
}

# known VARIABLE NAME...: each is a slot, or "none"
known() {
  local variable=$1 name names; shift
  names=$(table | sed 's|^[^/]*/||; s/ .*//' | sort -u | paste -sd ' ')
  for name in "$@"; do
    [[ " $names none " == *" $name "* ]] || die "$variable: there is no slot named $name (there are $names)"
  done
}

list() {
  local podmans vms
  read -ra podmans <<< "${PODMANS//,/ }"
  read -ra vms <<< "${VMS//,/ }"
  known STOCKADE_TEST_PODMANS "${podmans[@]}"
  known STOCKADE_TEST_VMS "${vms[@]}"
  if [ ${#podmans[@]} = 0 ]; then by_default services; else named services "${podmans[@]}"; fi
  if [ ${#vms[@]} != 0 ]; then named guests "${vms[@]}"
  elif [ ${#podmans[@]} != 0 ]; then named guests "${podmans[@]}"
  else by_default guests; fi
}

# ---- up and down ------------------------------------------------------------

# slot_command TIER/SLOT up|down: sets COMMAND
slot_command() {
  case $1 in
    host/*) COMMAND=("$BENCH_SCRIPTS/host.sh" "$2") ;;
    chroot/*) COMMAND=("$BENCH_SCRIPTS/chroot.sh" "$2" "${1#*/}") ;;
    vm/*) COMMAND=("$BENCH_SCRIPTS/vm.sh" "$2" "${1#*/}") ;;
    *) die "not TIER/SLOT: $1" ;;
  esac
}

# is_up TIER/SLOT
is_up() {
  case $1 in
    vm/*) "$BENCH_SCRIPTS/vm.sh" version "${1#*/}" > /dev/null 2>&1 ;;
    *) select_slot "${1#*/}"; running "$STATE/service.pid" ;;
  esac
}

log_of() { echo "$LOGS/${1/\//-}-up.log"; }

# reason LOG: the line that says why, of all that was said
reason() {
  grep -a '^bench: ' "$1" | tail -n 1 | cut -c8- | grep . || grep -m1 -aE '^(E|error): ' "$1" ||
    tail -n 1 "$1" | grep . || echo 'it ended without a word'
}

# report NAME STATUS
report() {
  local log
  log=$(log_of "$1")
  if [ "$2" = 0 ]; then say "$1: up: $(grep -a '^== ' "$log" | tail -n 1 | cut -c4-)"
  else say "$1: NOT UP: $(reason "$log") ($log)"; fi
}

# What they need of the machine, before any is begun: one apt-get and one useradd at a time
prepare() {
  local name suite mib=1024
  for name in "$@"; do
    suite=${name#*/}
    case $name in
      chroot/*) compgen -G "$BENCH/roots/$suite-*" > /dev/null || mib=$((mib + 1024)) ;;
      vm/*) [ -d "$BENCH/vm/$suite" ] || mib=$((mib + 3072)) ;;
    esac
  done
  need_packages "${DEBIAN_PACKAGES[@]}" uidmap curl busybox-static
  make_service_user
  mkdir -p "$LOGS"
  need_space "$BENCH" "$mib"
  need_space "$SERVE" "$((512 * $# + 2048))"
}

up() {
  local name group status failed=0
  prepare "$@"
  for name in "$@" ''; do
    # a place becomes free; at the end, all do
    while [ ${#COMING[@]} -ge $AT_ONCE ] || [[ -z $name && ${#COMING[@]} -gt 0 ]]; do
      status=0
      wait -n -p group "${!COMING[@]}" || status=$?
      report "${COMING[$group]}" "$status"
      [ "$status" = 0 ] || failed=1
      unset "COMING[$group]"
    done
    [ -n "$name" ] || break
    slot_command "$name" up
    say "$name: bringing it up"
    is_up "$name" || BEGUN+=("$name")
    in_session env --default-signal=INT,QUIT "${COMMAND[@]}" > "$(log_of "$name")" 2>&1 < /dev/null &
    COMING[$!]=$name
  done
  return "$failed"
}

down() {
  local name failed=0
  for name in "$@"; do
    slot_command "$name" down
    "${COMMAND[@]}" || { say "$name: could not be taken down"; failed=1; }
  done
  return "$failed"
}

action=${1:-}; shift || true
case $action in
  list) list ;;
  is-up) find_service_user && is_up "$1" ;;
  up | down)
    if [ $# = 0 ]; then
      selected=$(list)
      read -d '' -ra selected <<< "$selected" || true
      set -- "${selected[@]}"
    fi
    "$action" "$@" ;;
  *) sed -n '2,8s/^# //p' "$0" >&2; exit 2 ;;
esac
