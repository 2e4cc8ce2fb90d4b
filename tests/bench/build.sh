#!/bin/bash
# build.sh [stockade|integration|differential|guest]...: builds, as the caller, the static program and the test programs
# (all unless named; guest is that of vm.sh), and puts copies where the service's user can execute them.
set -euo pipefail
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"

build_stockade() {
  "$BENCH_SCRIPTS/checks.sh" static_release
  install -m 755 "$(cat "$RELEASE_PATH")" "$SERVE/bin/stockade"
}

# build_tests NAME...: programs of tests, by one call
build_tests() {
  local messages=$TARGETS/tests.json name program
  mkdir -p "$TARGETS"
  static_cargo test --no-run "${@/#/--test=}" --message-format=json-render-diagnostics > "$messages"
  for name in "$@"; do
    program=$(executable "$name" < "$messages")
    [ -x "$program" ] || die "cargo built no test program named $name"
    install -m 755 "$program" "$SERVE/bin/$name"
    # it is copied into machines of other releases
    if [ "$name" = guest ]; then strip --strip-debug "$SERVE/bin/$name"; fi
  done
}

[ $# -gt 0 ] || set -- stockade integration differential guest
need_toolchain
need_packages jq binutils
make_service_user
cd "$REPO"
tests=() program='' status=0
for name in "$@"; do
  case $name in
    stockade) program=yes ;;
    integration | differential | guest) tests+=("$name") ;;
    *) die "nothing to build is named $name" ;;
  esac
done
# beside each other: the last part of the program is the work of few threads
at_work=()
if [ -n "$program" ]; then step 'building stockade' build_stockade & at_work+=($!); fi
if [ ${#tests[@]} -gt 0 ]; then step "building ${tests[*]}" build_tests "${tests[@]}" & at_work+=($!); fi
for process in "${at_work[@]}"; do wait "$process" || status=$?; done
[ "$status" = 0 ]
