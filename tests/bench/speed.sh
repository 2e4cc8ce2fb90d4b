#!/bin/bash
# speed.sh [run|ps|echo|attach|parallel|build|checkpoints|night|idle]...: Stockade beside `podman --remote` and `podman`, on one
# service, in one run, turn by turn; prints a table and asserts nothing. Everything unless sections are named. Checkpoints: beside git.
#   SPEED_ROUNDS  turns of the quick ones, default 9
set -euo pipefail
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"

OURS='' WORK=''

# shellcheck disable=SC2317  # called by the trap
clean_up() {
  set +e; trap '' INT TERM
  end_group TERM
  if [ -n "$WORK" ]; then
    as_service "$SERVE/bin/podman-host" rmi --force localhost/speed localhost/speed-built > /dev/null 2>&1
    as_root rm -rf --one-file-system "$WORK"
  fi
  if [ -n "$OURS" ]; then "$BENCH_SCRIPTS/host.sh" down 9>&-; fi
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# A small image: busybox, and 16 MiB of text in lines of 63 characters
# shellcheck disable=SC2016
make_image() {
  as_service sh -euc '
    mkdir -p "$1/image"; cd "$1/image"
    cp "$2" busybox
    yes 012345678901234567890123456789012345678901234567890123456789ABC | head -c 16777216 > text
    printf "%s\n" "FROM scratch" "COPY busybox /bin/" "COPY text /text" "ENV PATH=/bin" \
      "RUN [\"/bin/busybox\", \"--install\", \"-s\", \"/bin\"]" > Containerfile
    exec "$3" build --quiet -t localhost/speed .' _ "$WORK" "$SERVE/bin/busybox" "$SERVE/bin/podman-host"
}

# The library's examples: many sandboxes in one process, checkpoints alone
# shellcheck disable=SC2317  # called by step
build_examples() {
  local name program
  for name in parallel checkpoints; do
    program=$(static_cargo build --release --example "$name" --message-format=json-render-diagnostics | executable "$name")
    [ -x "$program" ] || die "cargo built no example named $name"
    install -m 755 "$program" "$SERVE/bin/$name"
  done
}

# What speed.py prints, as a table
table() {
  awk -F'|' '
    function line(a, b, c, d, e, f) { printf "| %s | %s | %s | %s | %s | %s |\n", a, b, c, d, e, f }
    BEGIN {
      line("what", "stockade", "podman --remote", "podman", "to --remote", "to podman")
      line("---", "---", "---", "---", "---", "---")
    }
    $1 == "row" { line($2, $3, $4, $5 == "" ? "–" : $5, $6 == "" ? "–" : $6, $7 == "" ? "–" : $7) }
    $1 == "load" { loads = loads sprintf("%s %s to %s, ", $2, $3, $4) }
    { fflush() }
    END { printf "\nload average before and after: %s\n", substr(loads, 1, length(loads) - 2) }'
}

need_toolchain
need_packages jq time python3 git
make_service_user
select_slot host
lock_bench
"$BENCH_SCRIPTS/build.sh" stockade 9>&-
(cd "$REPO" && step 'building the examples' build_examples)
running "$STATE/service.pid" || OURS=yes
"$BENCH_SCRIPTS/host.sh" up 9>&-
need_space "$SERVE" 8192
WORK=$AREA/speed
as_root rm -rf --one-file-system "$WORK"
as_service mkdir -p "$WORK"
say 'an image to measure with'
make_image > /dev/null
# the user need not be able to read this checkout
for name in speed.py figures.py; do
  # shellcheck disable=SC2016
  as_service sh -c 'cat > "$1"' _ "$WORK/$name" < "$BENCH_SCRIPTS/$name"
done
say "$(version), $(nproc) cores, $(awk '/^MemTotal/ { printf "%.0f GiB", $2 / 1048576 }' /proc/meminfo), $(date +%F)"
exec 7> >(table); printer=$!
start_group "${AS_SERVICE[@]}" XDG_RUNTIME_DIR="$AREA/xdg" CONTAINER_HOST="unix://$SOCKET" \
  SPEED_STOCKADE="$SERVE/bin/stockade" SPEED_PARALLEL="$SERVE/bin/parallel" SPEED_CHECKPOINTS="$SERVE/bin/checkpoints" \
  SPEED_SOCKET="$SOCKET" SPEED_AREA="$AREA" SPEED_WORK="$WORK" \
  SPEED_ROUNDS="${SPEED_ROUNDS:-9}" python3 "$WORK/speed.py" "$@" >&7
exec 7>&-
status=0
wait_group || status=$?
wait "$printer" || true
exit "$status"
