#!/bin/bash
# checks.sh lint|test|all: what needs no Podman. Each check is one function, with its time.
set -euo pipefail
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"

TARGET=x86_64-unknown-linux-gnu

format() { cargo fmt --check; }
clippy() { cargo clippy --quiet --locked --all-targets -- -D warnings; }
library_alone() { cargo check --quiet --locked --no-default-features --lib; }
shell_scripts() { shellcheck -x tests/bench/*.sh .ci/run; }
agent() { (cd examples/agent && PYTHONDONTWRITEBYTECODE=1 python3 test_ralph.py); }

# Every test target but the one that needs Podman, counted there
unit_tests() {
  local t targets=(--lib --bins)
  for t in tests/*.rs; do
    [ ! -e "$t" ] || targets+=(--test "$(basename "$t" .rs)")
  done
  cargo test --quiet --locked "${targets[@]}"
}
doc_tests() { cargo test --quiet --locked --doc; }

static_release() {
  "$BENCH_SCRIPTS/release.sh"
}

deny() {
  if ! command -v cargo-deny >/dev/null; then
    say "cargo-deny is not installed: deny.toml was not checked"
    return
  fi
  cargo deny --locked check
}

lint() {
  step 'rustfmt' format
  step 'clippy' clippy
  step 'the library alone' library_alone
  step 'shellcheck' shell_scripts
  step 'cargo-deny' deny
}

tests() {
  step 'unit tests' unit_tests
  step 'doc tests' doc_tests
  step "the example's agent" agent
  step 'static release build' static_release
}
