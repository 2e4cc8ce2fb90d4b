#!/bin/bash
# build.sh [stockade|integration]...: builds, as the caller, the static program and the integration test program (both
# unless named), and puts copies where the service's user can execute them.
set -euo pipefail
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"

build_stockade() {
  "$BENCH_SCRIPTS/checks.sh" static_release
  install -m 755 "$(cat "$RELEASE_PATH")" "$SERVE/bin/stockade"
}

build_integration() {
  local messages=$TARGETS/integration.json program
  mkdir -p "$TARGETS"
  cargo test --locked --no-run --test integration --message-format=json-render-diagnostics > "$messages"
  program=$(executable integration < "$messages")
  [ -x "$program" ] || die "cargo built no test program named integration"
  install -m 755 "$program" "$SERVE/bin/integration"
}

[ $# -gt 0 ] || set -- stockade integration
need_toolchain
need_packages jq
make_service_user
cd "$REPO"
for name in "$@"; do
  case $name in
    stockade | integration) step "building $name" "build_$name" ;;
    *) die "nothing to build is named $name" ;;
  esac
done
