#!/bin/bash
# host.sh up|down|env|exec COMMAND...: a rootless service of the system's own Podman, on a private store.
#   env   prints what tests are given, one NAME=VALUE a line
#   exec  runs a command as the service's user with that environment (CONTAINER_HOST too)
set -euo pipefail
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"

PACKAGES=(podman runc slirp4netns uidmap catatonit netavark aardvark-dns iptables ca-certificates curl jq procps
  busybox-static)

start_service() {
  as_service rm -f "$SOCKET"
  (
    cd "$AREA"
    exec setsid "${AS_SERVICE[@]}" XDG_RUNTIME_DIR="$AREA/run" \
      podman "${STORE[@]}" system service --time=0 "unix://$SOCKET"
  ) > "$STATE/service.log" 2>&1 < /dev/null 8>&- &
  record_pid "$STATE/service.pid" $!
}

record_server() {
  local first server
  read -r first _ < "$STATE/service.pid"
  server=$(ps -o pid= --ppid "$first" | head -1)
  [ -z "$server" ] || record_pid "$STATE/server.pid" "${server// /}"
}

stop_service() {
  [ ! -e "$AREA/run/libpod" ] || (cd "$AREA" && timeout 60 "${AS_SERVICE[@]}" XDG_RUNTIME_DIR="$AREA/run" \
    podman "${STORE[@]}" rm --all --force --time 0) > "$STATE/rm.log" 2>&1 8>&- || cat "$STATE/rm.log" >&2
  # even if bringing it up was cut short
  if running "$STATE/service.pid"; then record_server; fi
  # a rootless Podman is two processes: the second serves, and a signal to the first does not reach it
  stop_recorded "$STATE/server.pid"
  stop_recorded "$STATE/service.pid"
  stop_monitors
  stop_pause
  as_service rm -rf "$AREA/run"
}

# Those of exec sessions stay for five minutes, and call Podman at their end
stop_monitors() {
  local process
  for process in /proc/[0-9]*; do
    case $(tr '\0' ' ' < "$process/cmdline") in
      */conmon\ *" $AREA/root/"*) as_service kill -KILL "${process#/proc/}" ;;
    esac 2>/dev/null || true
  done
}

# The process that holds a rootless Podman's namespaces and mounts
stop_pause() {
  local pid file=$AREA/run/libpod/tmp/pause.pid
  pid=$(as_service cat "$file" 2>/dev/null) || return 0
  # the file may be old, and the pid another's
  case $(tr '\0' ' ' < "/proc/$pid/cmdline") in
    'catatonit -P '*) as_service kill -KILL "$pid" ;;
  esac 2>/dev/null || true
  as_service rm -f "$file"
}

up() {
  local t=$EPOCHREALTIME
  need_packages "${PACKAGES[@]}"
  make_service_user
  select_slot host
  mkdir -p "$STATE"
  exec 8> "$STATE.lock"; flock 8
  if running "$STATE/service.pid" && pings; then say "host: already up, $(version), $SOCKET"; return; fi
  need_space "$SERVE" 2048
  need_tun
  stop_service
  make_slot runc
  install_wrapper /usr/bin/podman
  start_service
  wait_ping "$STATE/service.log"
  record_server
  say "host: $(version) up in $(seconds_since "$t") s, $SOCKET"
}

action=${1:-}; shift || true
case $action in
  up) up ;;
  down | env | exec) "slot_$action" host "$@" ;;
  *) sed -n '2,4s/^# //p' "$0" >&2; exit 2 ;;
esac
