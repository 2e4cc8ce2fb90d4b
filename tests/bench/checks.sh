#!/bin/bash
# checks.sh NAME...: what needs no Podman, one function each, with its time. `checks.sh` alone lists the names.
# Exit status 77: the last check could not be run.
set -euo pipefail
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"

# the test targets that other scripts run: those that need Podman
ELSEWHERE='integration differential guest'

format() { cargo fmt --check; }
clippy() { cargo clippy --quiet --locked --all-targets -- -D warnings; }
library_alone() { cargo check --quiet --locked --no-default-features --lib; }
shell_scripts() { need_packages shellcheck; shellcheck -x tests/bench/*.sh tests/bench/guest/*.sh tests/integration/support/*.sh .ci/run; }
example_agent() { tests/bench/agent-check.sh; }

# Every other target
unit_tests() {
  local name names targets=(--lib --bins)
  names=$(test_names)
  for name in $names; do
    [[ " $ELSEWHERE " == *" $name "* ]] || targets+=(--test "$name")
  done
  static_cargo test "${targets[@]}"
}

doc_tests() { static_cargo test --doc; }

# The program that is shipped: static, so that it runs on any x86_64 Linux
static_release() {
  local program headers
  need_packages binutils jq
  program=$(static_cargo build --release --bin stockade --message-format=json-render-diagnostics | executable stockade)
  [ -x "$program" ] || die "cargo built no program named stockade"
  headers=$(readelf --program-headers --wide "$program") || die "$program is not an ELF file"
  ! grep -q INTERP <<< "$headers" || die "$program is not static: it asks for an interpreter"
  echo "$program" > "$RELEASE_PATH"
  say "static: $program, $(($(stat -c %s "$program") / 1024)) KiB"
}

development_build() { cargo build --locked; }

# Where cargo-deny is not installed that is said, and nothing is claimed
deny() {
  if ! cargo deny --version >/dev/null 2>&1; then say "NOT RUN: cargo-deny is not installed, deny.toml is not checked"; exit 77; fi
  # known vulnerabilities need the network, and are not this tree's doing: cargo deny check advisories
  cargo deny --locked check bans licenses sources
}

CHECKS=(format clippy library_alone shell_scripts example_agent unit_tests doc_tests static_release deny)

[ $# -gt 0 ] || { printf '%s\n' "${CHECKS[@]}"; exit; }
need_toolchain
cd "$REPO"
for name in "$@"; do
  [[ " ${CHECKS[*]} development_build " == *" $name "* ]] || die "no such check: $name"
  step "$name" "$name"
done
