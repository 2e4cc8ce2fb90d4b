#!/bin/bash
# agent-check.sh: the example's agent on this machine: iterations follow the tests, exit statuses follow the contract.
set -euo pipefail
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"

work=$(mktemp -d); trap 'rm -rf "$work"' EXIT

# expect STATUS LINE ARGUMENT...: runs the agent on a fresh copy and looks for the line in what it prints
expect() {
  local status=$1 line=$2 got=0; shift 2
  rm -f "$work/calculator.py"
  (cd "$work" && python3 ralph.py "$@") > "$work/out" 2>&1 || got=$?
  if [ "$got" != "$status" ] || ! grep -qF -e "$line" "$work/out"; then
    cat "$work/out" >&2
    die "ralph.py $*: exit status $got, wanted $status and '$line'"
  fi
}

fresh() { cp "$REPO"/examples/agent/{ralph.py,prompt.md,test_calculator.py} "$work"; }
usual=(--prompt-file prompt.md --completion-promise COMPLETE)

need_command python3 python3
fresh
expect 0 'COMPLETION DETECTED after 5 iterations!' "${usual[@]}" --max-iterations 10
expect 0 '<promise>DONE</promise>' --prompt x --completion-promise DONE --model ignored
expect 1 'MAX ITERATIONS REACHED (4)' "${usual[@]}" --max-iterations 4
expect 1 'MAX ITERATIONS REACHED (0)' "${usual[@]}" --max-iterations 0
expect 2 'usage:' --prompt x
expect 2 'usage:' --completion-promise COMPLETE
expect 2 'is empty' --prompt x --completion-promise ''
expect 2 'No such file' --prompt-file absent --completion-promise COMPLETE
# fewer tests, fewer iterations
sed -i '/def test_divide/,/calculator.divide/d; /def test_multiply/,/multiply(2/d' "$work/test_calculator.py"
expect 0 'COMPLETION DETECTED after 2 iterations!' "${usual[@]}"
# a test that cannot pass, and none at all
fresh
sed -i 's/(2, 3), 5)/(2, 3), 6)/' "$work/test_calculator.py"
expect 1 'did not complete within max iterations' "${usual[@]}" --max-iterations 8
rm "$work/test_calculator.py"
expect 1 'MAX ITERATIONS REACHED (3)' "${usual[@]}" --max-iterations 3
say "the example's agent: 11 runs as expected"
