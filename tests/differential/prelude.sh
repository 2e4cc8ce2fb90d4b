# What the script of a case can use; see case.rs. Each line leaves a numbered directory in $OBSERVED.
set -u
mapfile -t program <<< "$PROGRAM"
mapfile -t reference <<< "$REFERENCE"

# AS=keys, AS=table, AS=nothing before a line: what of its standard output is compared.
# Lines are run in subshells too (`$(podman …)`, pipes): the number is what mkdir can make.
line() {
  at=1
  until mkdir "$OBSERVED/$at" 2> /dev/null; do at=$((at + 1)); done
  at=$OBSERVED/$at
  printf '%s' "$*" > "$at/line"
}

podman() {
  local at status
  line podman "$@"
  printf '%s' "${AS:-bytes}" > "$at/as"
  if [ "${1:-}" = run ]; then
    shift
    case " $* " in
      *' --network'* | *' --net'*) set -- run --label "$LABEL" "$@" ;;
      *) set -- run --label "$LABEL" --network none "$@" ;;
    esac
  fi
  "${program[@]}" "$@" 2> "$at/stderr" | tee "$at/stdout"
  status=${PIPESTATUS[0]}
  echo "$status" > "$at/exit"
  return "$status"
}

show() {
  local at
  line show "$@"
  "$@" > "$at/shown" 2>&1
  printf '\nexit %s\n' $? >> "$at/shown"
}

state() { inspected container "$@"; }
image() { inspected image "$@"; }

inspected() {
  local at
  line "$@"
  "${reference[@]}" "$1" inspect "$2" > "$at/inspect" 2> /dev/null
  shift 2
  printf '%s\n' "$@" > "$at/fields"
}

content() {
  local at
  line content "$@"
  printf '%s' "$1" > "$at/image"
}

# lines FILE LINE...
lines() {
  local file=$1
  shift
  printf '%s\n' "$@" > "$file"
}

# until_logged CONTAINER TEXT: waits, at most ten seconds, until it has written this
until_logged() {
  local n
  for ((n = 0; n < 100; n++)); do
    ! "${reference[@]}" logs "$1" 2>&1 | grep -q "$2" || return 0
    sleep 0.1
  done
  echo "$1 has not written $2" >&2
}
