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

# build_tests NAME [OPTION...]: a program of tests
build_tests() {
  local messages=$TARGETS/$1.json program
  mkdir -p "$TARGETS"
  cargo test --locked --no-run --test "$1" "${@:2}" --message-format=json-render-diagnostics > "$messages"
  program=$(executable "$1" < "$messages")
  [ -x "$program" ] || die "cargo built no test program named $1"
  install -m 755 "$program" "$SERVE/bin/$1"
}

# Static, since it runs in machines of other releases; without what only a debugger reads, since it is copied there
build_guest() {
  need_packages binutils
  RUSTFLAGS="${RUSTFLAGS:-} -C target-feature=+crt-static" build_tests guest --target "$STATIC_TARGET"
  strip --strip-debug "$SERVE/bin/guest"
}

[ $# -gt 0 ] || set -- stockade integration differential guest
need_toolchain
need_packages jq
make_service_user
cd "$REPO"
for name in "$@"; do
  case $name in
    stockade | guest) step "building $name" "build_$name" ;;
    integration | differential) step "building $name" build_tests "$name" ;;
    *) die "nothing to build is named $name" ;;
  esac
done
