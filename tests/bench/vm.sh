#!/bin/bash
# vm.sh up|down|version|reboot|cut SUITE, vm.sh exec|put|test SUITE [ARGUMENT...]: a machine of a Debian suite
# (bookworm, trixie, sid, experimental) with systemd, cgroups v2 and rootless Podman services whose limits hold.
#   exec  runs a command in it, as its ordinary user alice
#   put   (FILE NAME) puts an executable copy of a file there, as /srv/bench/NAME
#   reboot, cut  boots it again, in good order or as after a power failure; what is on its disk stays
#   test  runs the tests of tests/guest in it; arguments are the test program's own (a filter, --nocapture)
#         status 70: the guest's kernel tripped over its own patches, which says nothing of the tests
#   STOCKADE_TEST_MINUTES  the longest that the tests may take, default 60
#   STOCKADE_TEST_SLOWNESS how much longer than on a machine of their own they wait for anything, default 4 times
set -euo pipefail
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/bench/suites.sh
. "$BENCH_SCRIPTS/suites.sh"
# shellcheck source=tests/bench/vm-image.sh
. "$BENCH_SCRIPTS/vm-image.sh"
# shellcheck source=tests/bench/vm-machine.sh
. "$BENCH_SCRIPTS/vm-machine.sh"

RUN=/run/user/1000
STARTED='' TESTING=''

# shellcheck disable=SC2317  # called by the trap
clean_up() {
  set +e; trap '' INT TERM
  end_group TERM
  if [ -n "$TESTING" ]; then end_tests; fi
  if [ -n "$STARTED" ]; then stop_machine; fi
}
trap clean_up EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

select_guest() {
  SUITE=$1
  STATE=$BENCH/vm/$SUITE
  KEY=$BENCH/vm/id_ed25519
  mkdir -p "$STATE"
}

lock_guest() { exec 8> "$STATE.lock"; flock 8; }

# ---- into the guest ---------------------------------------------------------

# guest USER COMMAND...: runs it there, each word as it is
guest() {
  local user=$1; shift
  guest_command "$user"
  "${SSH[@]}" "$(printf '%q ' "$@")"
}

# Sets SSH to what runs a line of shell as a user of the guest, which may sleep for minutes
guest_command() {
  SSH=(ssh -q -i "$KEY" -p "$(< "$STATE/port")" -o BatchMode=yes -o IdentitiesOnly=yes -o StrictHostKeyChecking=yes
    -o UserKnownHostsFile="$STATE/known_hosts" -o HostKeyAlias=guest -o ConnectTimeout=30 -o ServerAliveInterval=30
    -o ServerAliveCountMax=10 "$1@127.0.0.1")
}

# guest_file FILE NAME: puts an executable copy into the guest
# shellcheck disable=SC2016
guest_file() { guest alice sh -euc 'cat > "$1.new"; chmod 755 "$1.new"; mv "$1.new" "$1"' _ "/srv/bench/$2" < "$1"; }

# as_alice COMMAND...: prefix of a command in a session like a person's
AS_ALICE=(env XDG_RUNTIME_DIR="$RUN" DBUS_SESSION_BUS_ADDRESS="unix:path=$RUN/bus")

wait_ssh() {
  local start=$SECONDS
  until guest root true 2> /dev/null; do
    running "$STATE/qemu.pid" || return 1
    [ $((SECONDS - start)) -lt "$BOOT_SECONDS" ] || return 1
    sleep 0.3
  done
}

# Both users' services have been asked once, so that a snapshot has them warm. One group always has a quota: with the
# first and the last the kernel patches its own code, on which the emulation of several processors trips now and then
# shellcheck disable=SC2016
prepare_guest() {
  wait_ssh || return 1
  # without --norc bash, run by sshd, reads a file that cannot stand -u
  guest root bash --norc -euc '
    for id in 1000 1001; do
      socket=/run/user/$id/podman/podman.sock
      # the file is there before anybody listens
      until [ -S "$socket" ] &&
        curl --silent --show-error --fail --max-time "$1" --unix-socket "$socket" http://d/v4.0.0/libpod/info > /dev/null; do
        [ "$SECONDS" -lt "$1" ] || { echo "no $socket: the session of user $id does not come up" >&2; exit 1; }
        sleep 0.2
      done
    done
    mkdir -p /sys/fs/cgroup/bench-quota
    echo "100000 100000" > /sys/fs/cgroup/bench-quota/cpu.max
    sync
    echo 3 > /proc/sys/vm/drop_caches' _ "$BOOT_SECONDS"
}

# ---- actions ----------------------------------------------------------------

up() {
  local start=$EPOCHREALTIME how
  select_guest "$1"
  lock_guest
  need_packages qemu-system-x86 qemu-utils socat openssh-client
  need_image "$SUITE"
  # up, and of today's recipe
  if is_up && [ "$(< "$STATE/ready")" = "$IMAGE" ] && guest alice true; then say "$SUITE: already up, $(version)"; return; fi
  stop_machine
  cp "$IMAGE/known_hosts" "$STATE/known_hosts"
  choose_acceleration
  snapshot_directory
  need_space "$BENCH" 2048
  STARTED=yes
  if [ -s "$SNAPSHOT/memory" ] && resume; then how='from its snapshot'
  else boot; how='booted'; fi
  echo "$IMAGE" > "$STATE/ready"
  STARTED='' TESTING=''
  say "$SUITE: $(version), $how, up in $(seconds_since "$start") s"
}

resume() {
  if restore && wait_ssh && guest root date --set="@$(date +%s)" > /dev/null; then return; fi
  say "$SUITE: the snapshot cannot be used (stale?): away with it"
  stop_machine
  rm -rf "$SNAPSHOT"
  return 1
}

boot() {
  step "$SUITE: boot (half a minute under emulation)" cold_start
  step "$SUITE: snapshot" make_snapshot || { rm -rf "$SNAPSHOT.part"; stop_machine; cold_start; return; }
  resume || cold_start
}

cold_start() {
  start_machine "$IMAGE/disk.raw" raw || die "qemu does not start (its log is above)"
  prepare_guest || { tail -n 30 "$STATE/console.log" >&2; die "the guest $SUITE does not come up (its console is above: $STATE/console.log)"; }
}

down() {
  [ -d "$BENCH/vm/$1" ] || { say "$1: nothing is up"; return; }
  select_guest "$1"
  lock_guest
  stop_machine
  say "$SUITE: down"
}

# boot_again reboot|cut: the disk stays, and is what a further overlay lies on
boot_again() {
  local start=$EPOCHREALTIME n=0
  lock_guest
  IMAGE=$(< "$STATE/ready")
  choose_acceleration
  if [ "$1" = cut ]; then
    # its file system has no journal: what is lost here is what runs, not what was written long ago
    guest root sync
    stop_recorded "$STATE/qemu.pid"
  else
    guest root systemctl reboot || true
    while running "$STATE/qemu.pid"; do
      [ $((n += 1)) -lt $((BOOT_SECONDS * 5)) ] || die "the guest $SUITE does not go down"
      sleep 0.2
    done
  fi
  n=1
  while [ -e "$STATE/before-$n.qcow2" ]; do n=$((n + 1)); done
  mv "$STATE/disk.qcow2" "$STATE/before-$n.qcow2"
  start_machine "$STATE/before-$n.qcow2" qcow2 || die "qemu does not start (its log is above)"
  wait_ssh || { tail -n 30 "$STATE/console.log" >&2; die "the guest $SUITE does not come up again"; }
  say "$SUITE: booted again in $(seconds_since "$start") s"
}

is_up() { running "$STATE/qemu.pid" && [ -e "$STATE/ready" ]; }

need_guest() {
  select_guest "$1"
  is_up || die "the guest $SUITE is not up"
}

version() { guest alice "${AS_ALICE[@]}" podman --remote version --format 'Podman {{.Server.Version}}'; }

run_tests() {
  local environment status=0 minutes=${STOCKADE_TEST_MINUTES:-60} program area=/srv/bench
  find_service_user || die "nothing is built: tests/bench/build.sh does that"
  for program in stockade guest; do
    [ -x "$SERVE/bin/$program" ] || die "$program is not built: tests/bench/build.sh $program"
    guest_file "$SERVE/bin/$program" "$program"
  done
  guest_file /bin/busybox busybox
  guest_file <(printf '#!/bin/sh\nexec podman --remote --url unix://%s/podman/podman.sock "$@"\n' "$RUN") podman-remote
  environment=(RUST_BACKTRACE="${RUST_BACKTRACE:-0}" STOCKADE_TEST_SLOT="vm-$SUITE" STOCKADE_TEST_SLOWNESS="${STOCKADE_TEST_SLOWNESS:-4}" STOCKADE_TEST_SOCKET="$RUN/podman/podman.sock"
    STOCKADE_TEST_SHARED="$area/shared" STOCKADE_TEST_BIN="$area/stockade" STOCKADE_TEST_BUSYBOX="$area/busybox"
    STOCKADE_TEST_PODMAN="$area/podman-remote")
  end_tests
  guest root date --set="@$(date +%s)" > /dev/null
  guest_command alice
  TESTING=yes
  # shellcheck disable=SC2016
  start_group "${SSH[@]}" "mkdir -p $area/shared && cd $area/shared && $(printf '%q ' sh -c '
    # into a file: what the tests may leave running would keep ssh waiting
    : > ../tests.log
    "$@" > ../tests.log 2>&1 & echo $! > ../tests.pid
    tail --pid=$! -s 0.2 -n +1 -f ../tests.log
    wait $!' _ \
    "${AS_ALICE[@]}" "${environment[@]}" timeout --kill-after=30 $((minutes * 60)) ../guest --include-ignored "$@")"
  wait_group || status=$?
  TESTING=''
  if [ "$status" = 255 ] && grep -q 'Oops: int3' "$STATE/console.log"; then
    cat "$STATE/console.log" >&2
    say "$SUITE: the guest's kernel tripped over its own patches, and panicked"
    return 70
  fi
  return "$status"
}

# What a run that was cut short left in the guest: the end of ssh is not that of what it runs
# shellcheck disable=SC2016
end_tests() {
  guest alice "${AS_ALICE[@]}" sh -c 'cd /srv/bench
    [ -s tests.pid ] || exit 0
    read -r pid < tests.pid
    case $(tr "\0" " " < "/proc/$pid/cmdline") in timeout*) kill "$pid" ;; esac
    podman --remote rm --all --force --time 0
    rm -f tests.pid' > /dev/null 2>&1 || true
}

action=${1:-} suite=${2:-}; shift 2 || { sed -n '2,10s/^# //p' "$0" >&2; exit 2; }
check_suite "$suite"
case $action in
  up | down) "$action" "$suite" ;;
  version) need_guest "$suite"; version ;;
  reboot | cut) need_guest "$suite"; boot_again "$action" ;;
  put) need_guest "$suite"; guest_file "$@" ;;
  exec) need_guest "$suite"; guest alice "${AS_ALICE[@]}" "$@" ;;
  test) need_guest "$suite"; run_tests "$@" ;;
  *) sed -n '2,10s/^# //p' "$0" >&2; exit 2 ;;
esac
