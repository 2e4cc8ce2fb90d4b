# shellcheck shell=bash disable=SC2034,SC2054,SC2154
# A guest's machine: qemu, started from the image or from a snapshot. Sourced by vm.sh, never run.
#
#   $STATE/{qemu.pid,port,monitor,console.log,qemu.log,disk.qcow2}   one machine
#   $IMAGE/SNAPSHOT-KEY/{memory,disk.qcow2}                          a snapshot of it

MACHINE=(-machine q35,hpet=off,vmport=off -smp 2 -m 2048 -nodefaults -no-user-config -display none -no-reboot)
KERNEL_LINE='console=ttyS0 quiet net.ifnames=0 mitigations=off audit=0 apparmor=0 nowatchdog no_timer_check tsc=reliable
 panic=-1 systemd.show_status=0 systemd.unified_cgroup_hierarchy=1'
# what makes each page and each system call dearer, for safety that a machine to be thrown away does not need
KERNEL_LINE+=' init_on_alloc=0 init_on_free=0 hardened_usercopy=off randomize_kstack_offset=off'
KERNEL_LINE=${KERNEL_LINE//$'\n'/}
# without erms: the kernel would clear and copy pages byte by byte, each of which is emulated
EMULATED=(-accel "tcg,thread=multi,tb-size=512" -cpu max,-erms,-la57)
ACCELERATED=(-accel kvm -cpu host)
BOOT_SECONDS=300

# Sets ACCELERATION: KVM where a machine really runs with it, since a /dev/kvm alone promises nothing. Tried once for each
# image, qemu and kernel of this machine
choose_acceleration() {
  local answer
  ACCELERATION=("${EMULATED[@]}")
  [ -r /dev/kvm ] && [ -w /dev/kvm ] || return 0
  answer=$IMAGE/kvm-$({ qemu-system-x86_64 --version; uname -r; grep -m1 '^model name' /proc/cpuinfo; } | cache_key)
  [ -s "$answer" ] || step "$SUITE: does a machine run with KVM?" probe_kvm "$answer"
  if grep -q 'bench: the probe runs' "$answer"; then ACCELERATION=("${ACCELERATED[@]}")
  else say "$SUITE: /dev/kvm is there, but no machine runs with it: emulated ($answer)"; fi
}

probe_kvm() {
  # it says so within a second, or never
  (cd "$STATE" && timeout --kill-after=1 10 qemu-system-x86_64 "${MACHINE[@]}" "${ACCELERATED[@]}" -kernel "$IMAGE/vmlinuz" \
    -initrd "$IMAGE/initrd" -append "$KERNEL_LINE bench.probe" -serial stdio) > "$1" 2>&1 < /dev/null 8>&- || true
  echo 'the end' >> "$1"
}

# The snapshots that this qemu can take up again on this machine
snapshot_directory() {
  local key
  key=$({ qemu-system-x86_64 --version; echo "${MACHINE[@]}" "${ACCELERATION[@]}" "$KERNEL_LINE"
    [ "${ACCELERATION[1]}" != kvm ] || grep -m1 '^model name' /proc/cpuinfo
    declare -f start_machine prepare_guest; } | cache_key)
  SNAPSHOT=$IMAGE/snapshot-$key
}

free_port() {
  local port n
  for ((n = 0; n < 100; n++)); do
    port=$((20000 + RANDOM % 12000))
    (exec 3<> "/dev/tcp/127.0.0.1/$port") 2> /dev/null || { echo "$port"; return; }
  done
  die 'no free port was found'
}

# start_machine BACKING-FILE FORMAT [QEMU-OPTION...]: starts qemu on an overlay of the file. The only way to it is a port
# of the loopback that leads to the guest's ssh; the guest reaches nothing outside
start_machine() {
  local backing=$1 format=$2 port n; shift 2
  rm -f "$STATE"/{disk.qcow2,monitor,console.log}
  qemu-img create -q -f qcow2 -b "$backing" -F "$format" "$STATE/disk.qcow2"
  for n in 1 2 3; do
    port=$(free_port)
    (
      # names below are relative: a comma in a path would be qemu's own
      cd "$STATE" || exit
      in_session qemu-system-x86_64 "${MACHINE[@]}" "${ACCELERATION[@]}" -kernel "$IMAGE/vmlinuz" -initrd "$IMAGE/initrd" \
        -append "$KERNEL_LINE" -drive file=disk.qcow2,if=none,id=d0,cache=unsafe,discard=unmap -device virtio-blk-pci,drive=d0 \
        -netdev "user,id=n0,restrict=on,net=192.168.76.0/24,hostfwd=tcp:127.0.0.1:$port-192.168.76.15:22" -device virtio-net-pci,netdev=n0,romfile= \
        -device virtio-rng-pci -chardev file,id=c0,path=console.log -serial chardev:c0 -monitor unix:monitor,server=on,wait=off "$@"
    ) > "$STATE/qemu.log" 2>&1 < /dev/null 8>&- &
    record_pid "$STATE/qemu.pid" $!
    echo "$port" > "$STATE/port"
    wait_monitor && return
    # somebody else may have taken the port meanwhile
    grep -q 'host forwarding' "$STATE/qemu.log" || break
  done
  cat "$STATE/qemu.log" >&2
  return 1
}

wait_monitor() {
  local n
  for ((n = 0; n < 100; n++)); do
    running "$STATE/qemu.pid" || return 1
    [ ! -S "$STATE/monitor" ] || return 0
    sleep 0.1
  done
  return 1
}

# monitor COMMAND: tells qemu, and prints what it says
monitor() { (cd "$STATE" && printf '%s\n' "$1" | socat -t "${2:-60}" - UNIX-CONNECT:monitor | tr -d '\r' | tail -n +2); }

stop_machine() {
  stop_recorded "$STATE/qemu.pid"
  rm -f "$STATE"/{disk.qcow2,monitor,port,ready} "$STATE"/before-*.qcow2
}

# ---- snapshots --------------------------------------------------------------

# Writes the running machine's memory and disk to SNAPSHOT; the machine ends by it
make_snapshot() {
  local n said=''
  rm -rf "$IMAGE"/snapshot-* "$STATE/memory"
  monitor stop > /dev/null
  monitor 'migrate_set_parameter max-bandwidth 8G' > /dev/null
  monitor 'migrate -d "exec:cat > memory"' > /dev/null
  for ((n = 0; n < 300; n++)); do
    said=$(monitor 'info migrate')
    case $said in *'status: completed'*) break ;; *'status: failed'*) break ;; esac
    sleep 0.2
  done
  if [[ $said != *'status: completed'* ]]; then say "$SUITE: no snapshot: $said"; return 1; fi
  monitor quit > /dev/null 2>&1 || true
  for ((n = 0; n < 50; n++)); do running "$STATE/qemu.pid" || break; sleep 0.1; done
  mkdir "$SNAPSHOT.part"
  mv "$STATE/memory" "$STATE/disk.qcow2" "$SNAPSHOT.part"
  mv "$SNAPSHOT.part" "$SNAPSHOT"
}

# Starts the machine as it was when the snapshot was made; false if that does not succeed
restore() {
  local n
  start_machine "$SNAPSHOT/disk.qcow2" qcow2 -incoming "exec:cat '${SNAPSHOT//\'/\'\\\'\'}/memory'" || return 1
  # it was stopped when its memory was written
  for ((n = 0; n < 150; n++)); do
    running "$STATE/qemu.pid" || return 1
    case $(monitor info\ status) in
      *'status: running'*) return ;;
      *'status: paused (inmigrate)'*) ;;
      *) monitor cont > /dev/null ;;
    esac
    sleep 0.1
  done
  return 1
}
