#!/bin/bash
# nightly.sh [reboot|sizes|kills|agents]...: what takes too long for every change; all of it unless named.
#   reboot  a run of the loop whose machine loses its power and is rebooted (a guest of vm.sh)
#   sizes   checkpoints of a million small files and of a sparse file of 5 GiB, with their time and memory
#   kills   kill -9 at every event of a run's journal
#   agents  the real agents of the presets, from their registries, with a scripted model (agents.sh)
#   STOCKADE_NIGHTLY_FILES  how many small files, default 1000000
#   STOCKADE_NIGHTLY_GUEST  which guest, default trixie
set -euo pipefail
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"

FILES=${STOCKADE_NIGHTLY_FILES:-1000000}
GUEST=${STOCKADE_NIGHTLY_GUEST:-trixie}
# the longest that one of them may take
MINUTES=60
OURS='' WORK=''

# shellcheck disable=SC2317  # called by the trap
clean_up() {
  set +e; trap '' INT TERM
  end_group TERM
  if [ -n "$WORK" ]; then
    as_service "$SERVE/bin/podman-host" rmi --force localhost/nightly > /dev/null 2>&1
    as_root rm -rf --one-file-system "$WORK"
  fi
  if [ -n "$OURS" ]; then "$BENCH_SCRIPTS/host.sh" down 9>&-; fi
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# bounded COMMAND...: as a group that ends with us, and in time
bounded() {
  start_group timeout --kill-after=30 $((MINUTES * 60)) "$@"
  wait_group
}

# script FILE [ARGUMENT...]: one of ours in Python, as the service's user, who need not be able to read this checkout
# shellcheck disable=SC2016
script() {
  local name=$1; shift
  as_service sh -c 'cat > "$1"' _ "$WORK/$name" < "$BENCH_SCRIPTS/$name"
  bounded "${AS_SERVICE[@]}" XDG_RUNTIME_DIR="$AREA/xdg" CONTAINER_HOST="unix://$SOCKET" SIZES_CHECKPOINTS="$SERVE/bin/checkpoints" \
    SIZES_WORK="$WORK/sizes" KILLS_STOCKADE="$SERVE/bin/stockade" KILLS_WORK="$WORK/kills" KILLS_IMAGE=localhost/nightly \
    python3 "$WORK/$name" "$@"
}

reboot() { bounded "$BENCH_SCRIPTS/reboot.sh" "$GUEST"; }

sizes() {
  local program
  program=$(cd "$REPO" && static_cargo build --release --example checkpoints --message-format=json-render-diagnostics | executable checkpoints)
  [ -x "$program" ] || die 'cargo built no example named checkpoints'
  install -m 755 "$program" "$SERVE/bin/checkpoints"
  # a small file takes a block and an inode; the checkpoints far less
  need_space "$SERVE" $((4096 + FILES / 128))
  script sizes.py "$FILES"
}

# shellcheck disable=SC2016
kills() {
  need_packages strace
  as_service sh -euc '
    mkdir -p "$1/image"; cd "$1/image"
    cp "$2" busybox
    printf "%s\n" "FROM scratch" "COPY busybox /bin/" "ENV PATH=/bin" "RUN [\"/bin/busybox\", \"--install\", \"-s\", \"/bin\"]" > Containerfile
    exec "$3" build --quiet -t localhost/nightly .' _ "$WORK" "$SERVE/bin/busybox" "$SERVE/bin/podman-host" > /dev/null
  script kills.py
}

agents() { bounded "$BENCH_SCRIPTS/agents.sh"; }

[ $# -gt 0 ] || set -- reboot sizes kills agents
for name in "$@"; do
  case $name in reboot | sizes | kills | agents) ;; *) die "nothing nightly is named $name" ;; esac
done
need_toolchain
need_packages jq python3 time busybox-static
make_service_user
select_slot host
lock_bench
"$BENCH_SCRIPTS/build.sh" stockade 9>&-
running "$STATE/service.pid" || OURS=yes
"$BENCH_SCRIPTS/host.sh" up 9>&-
WORK=$AREA/nightly
as_root rm -rf --one-file-system "$WORK"
as_service mkdir -p "$WORK"
for name in "$@"; do step "nightly: $name" "$name"; done
say 'nightly: all is well'
