# shellcheck shell=bash disable=SC2034,SC2154
# Counts, the table and docs/compatibility.md of run.sh. Sourced beside lib.sh, never run.
#   TIER, SLOT, DEBIAN, VERSION, RUNTIME, LIMITS  of the slot that is at work; "-" for what needs none

COMPATIBILITY=$REPO/docs/compatibility.md
TIER=- SLOT=- DEBIAN=- VERSION=- RUNTIME=- LIMITS=-

# What comes out goes into this file, a line each: rows of the table, and "warning" or "failure" with a text
begin_results() {
  RESULTS=$LOGS/results.tsv
  printf 'date\t%s\n' "$(date +%F)" > "$RESULTS"
}

# Whether there are rows, and none with a failure
all_passed() { awk -F '\t' 'NF > 2 { rows++; failed += $9 } END { exit !(rows && !failed) }' "$RESULTS"; }

# ---- counting ---------------------------------------------------------------

# count LOG WORD: sums what libtest says: "test result: ok. 3 passed; 0 failed; 1 ignored; ..."
count() { { grep -aoE '^test result: .*' "$1" || true; } | { grep -oE "[0-9]+ $2;" || true; } | awk '{ n += $1 } END { print n + 0 }'; }

# failed_tests LOG: the names in libtest's last list of failures, and in that of each program before it
failed_tests() {
  awk '/^failures:$/ { n = 0; next } /^    [A-Za-z0-9_:]+$/ { names[n++] = $1 }
    /^test result: / { for (i = 0; i < n; i++) print names[i]; n = 0 }' "$1"
}

where() { if [ "$TIER" = - ]; then echo; else echo "$TIER/$SLOT ($VERSION): "; fi; }

# failure TEXT: said at once, and again at the end
failure() {
  printf 'failure\t%s\n' "$(where)${1//$'\t'/ }" >> "$RESULTS"
  say "FAILED: $(where)$1"
}

# row SUITE PASSED FAILED IGNORED START
row() {
  local cells=("$SLOT" "$TIER" "$DEBIAN" "$VERSION" "$RUNTIME" "$LIMITS" "$1" "$2" "$3" "$4" "$(seconds_since "$5")")
  (IFS=$'\t'; echo "${cells[*]}") >> "$RESULTS"
}

# tests_row SUITE LOG STATUS START: a run that failed without saying so, or ran nothing, counts as one failure
tests_row() {
  local name passed failed ignored
  passed=$(count "$2" passed) failed=$(count "$2" failed) ignored=$(count "$2" ignored)
  while read -r name; do failure "$1: $name"; done < <(failed_tests "$2")
  if [ "$failed" = 0 ]; then
    if [ "$3" != 0 ]; then
      failure "$1: ended with status $3 without a failed test (124: took over $MINUTES minutes), see $2"; failed=1
    elif [ "$passed" = 0 ]; then failure "$1: no test ran"; failed=1; fi
  fi
  row "$1" "$passed" "$failed" "$ignored" "$4"
}

# ---- what a slot is ---------------------------------------------------------

# learn_facts "Podman VERSION" PODMAN...: sets DEBIAN, VERSION, RUNTIME and LIMITS by what the service says, and warns
# where it is not the release that was there last
learn_facts() {
  local info last
  VERSION=${1#Podman }; shift
  DEBIAN=$SLOT
  # shellcheck source=/dev/null
  [ "$SLOT" != host ] || DEBIAN=$(. /etc/os-release; echo "${VERSION_CODENAME:-?}")
  info=$("$@" info --format json) || info='{}'
  RUNTIME=$(jq -r '.host.ociRuntime | (.name // "?") + " " + (.version // "?" | split("\n")[0] | split(" ") | last)' <<< "$info")
  LIMITS=$(jq -r '.host | if .cgroupVersion == "v2" and (["memory", "pids", "cpu"] - (.cgroupControllers // []) == [])
    then "enforced" else "not enforced" end' <<< "$info")
  last=$(recorded "$SLOT" "$TIER")
  [ "$last" = "$VERSION" ] || printf 'warning\t%s\n' \
    "$TIER/$SLOT has Podman $VERSION, docs/compatibility.md has ${last:-none}: make compatibility" >> "$RESULTS"
}

# recorded SLOT TIER: the release in docs/compatibility.md
recorded() {
  [ -e "$COMPATIBILITY" ] || return 0
  awk -F '|' -v slot="$1" -v tier="$2" \
    '{ for (i = 1; i <= NF; i++) gsub(/^ +| +$/, "", $i) } $2 == slot && $3 == tier { print $5 }' "$COMPATIBILITY"
}

# ---- the end ----------------------------------------------------------------

table() {
  printf '\n'
  awk -F '\t' '
    BEGIN { form = "%-13s %-7s %-8s %-14s %7s %7s %8s %8s\n"; printf form, "slot", "tier", "podman", "suite", "passed", "failed", "not run", "seconds" }
    NF > 2 { printf form, $1, $2, $4, $7, $8, $9, $10, $11; passed += $8; failed += $9 }
    END { printf "%d passed, %d failed\n", passed, failed }' "$RESULTS"
  sed -n 's/^warning\t/warning: /p' "$RESULTS"
  sed -n 's/^failure\t/FAILED: /p' "$RESULTS"
}

# The results as the document has them, by the test that looks after it
write_compatibility() {
  STOCKADE_UPDATE=1 STOCKADE_TEST_RESULTS=$RESULTS cargo test --quiet --locked --test compatibility the_document_is
  cargo test --quiet --locked --test compatibility
  say "written: $COMPATIBILITY"
}
