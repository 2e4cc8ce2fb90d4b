#!/bin/sh
# private_service.sh < REQUESTS: rootless services of the podman in PATH, each on a store of its own.
#   start DIRECTORY SECONDS  starts one on DIRECTORY/podman.sock, or starts it again; it ends after so long without
#                            work, 0 is never
#   reboot DIRECTORY         ends it with everything that it has started, at once, and forgets what is kept at run time:
#                            then DIRECTORY/rebooted is there
#   clear DIRECTORY          ends it, with its containers, and removes its store and the directory
# After the last request all are cleared. Run by the tests, or in a chroot slot's namespaces by chroot.sh.
set -u
# with one of these podman would be a client of another service
unset CONTAINER_HOST CONTAINER_CONNECTION

# select_service DIRECTORY: sets its paths
select_service() {
  directory=$1
  # Podman takes no path of more than 50 characters for what it keeps at run time
  state=/tmp/${1##*/}.d
  store="--root $directory/root --runroot $state/rr --cgroup-manager=cgroupfs --events-backend=file"
  export XDG_RUNTIME_DIR="$state/run"
}

start() {
  select_service "$1"
  mkdir -p "$state/run" && chmod 700 "$state" "$state/run"
  rm -f "$directory/podman.sock"
  # a rootless Podman is two processes, hence the group
  # shellcheck disable=SC2086
  setsid podman $store system service --time="$2" "unix://$directory/podman.sock" \
    < /dev/null >> "$directory/service.log" 2>&1 &
  echo $! > "$directory/service.pid"
}

# A third process keeps the namespaces. The file may be old, and the pid another's
end_pause() {
  pause=$(cat "$XDG_RUNTIME_DIR/libpod/tmp/pause.pid" 2> /dev/null) || return 0
  case $(tr '\0' ' ' < "/proc/$pause/cmdline" 2> /dev/null) in
    'catatonit -P '* | podman*) kill -s KILL "$pause" ;;
  esac
}

# What looks after a container or an exec session: it would go on with the store for minutes
end_monitors() {
  # shellcheck disable=SC2013  # pids
  for process in $(grep -lF "$directory/" /proc/[0-9]*/cmdline 2> /dev/null); do
    process=${process%/cmdline}
    [ "$(cat "$process/comm" 2> /dev/null)" != conmon ] || kill -s KILL "${process#/proc/}"
  done
}

# as when the power fails: the store stays as it is
reboot() {
  select_service "$1"
  kill -s KILL -- "-$(cat "$directory/service.pid")" 2> /dev/null
  # shellcheck disable=SC2013  # pids
  for process in $(grep -lF "$directory/" /proc/[0-9]*/cmdline 2> /dev/null); do
    process=${process%/cmdline}
    [ "$(cat "$process/comm" 2> /dev/null)" = conmon ] || continue
    monitor=${process#/proc/}
    lives=$(cat "$process/task/$monitor/children" 2> /dev/null)
    # shellcheck disable=SC2086  # several
    kill -s KILL "$monitor" $lives 2> /dev/null
  done
  end_pause
  rm -rf "$state"
  : > "$directory/rebooted"
}

clear_service() {
  # by one of us alone
  mv "$1/service.pid" "$1/clearing" 2> /dev/null || return 0
  select_service "$1"
  # shellcheck disable=SC2086
  podman $store rm --all --force --time 0 > /dev/null 2>&1
  kill -s KILL -- "-$(cat "$directory/clearing")" 2> /dev/null
  end_monitors
  end_pause
  podman unshare rm -rf "$directory/root" > /dev/null 2>&1
  end_pause
  rm -rf "$state" "$directory"
}

directories=
while read -r action directory seconds; do
  case $action in
    start) start "$directory" "$seconds"; directories="$directories $directory" ;;
    reboot) reboot "$directory" ;;
    clear) (clear_service "$directory") & ;;
  esac
done
for directory in $directories; do (clear_service "$directory") & done
wait
