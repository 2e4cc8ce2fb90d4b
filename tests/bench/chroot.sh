#!/bin/bash
# chroot.sh up|down|env SUITE, chroot.sh exec SUITE COMMAND...: a rootless service of a Debian suite's Podman
# (trixie, sid, experimental), in namespaces of its own.
#   env   prints what tests are given, one NAME=VALUE a line
#   exec  runs a command outside, as the service's user, with that environment (CONTAINER_HOST too)
set -euo pipefail
# shellcheck source=tests/bench/lib.sh
. "$(dirname "$0")/lib.sh"
# shellcheck source=tests/bench/suites.sh
. "$BENCH_SCRIPTS/suites.sh"

# ---- the service ------------------------------------------------------------

# The tree's own account files and the user with the ids they have outside
make_accounts() {
  local f
  mkdir -p "$STATE/etc"
  { cat "$TREE/etc/passwd"; echo "$SERVICE_USER:x:$SERVICE_UID:$SERVICE_GID::$AREA/home:/bin/bash"; } > "$STATE/etc/passwd"
  { cat "$TREE/etc/group"; echo "$SERVICE_USER:x:$SERVICE_GID:"; } > "$STATE/etc/group"
  for f in subuid subgid; do
    grep "^\($SERVICE_USER\|$SERVICE_UID\):" "/etc/$f" > "$STATE/etc/$f"
    as_root touch "$TREE/etc/$f"
  done
}

# The suite's own podman as a client outside its namespaces: with its own loader and libraries
install_client() {
  local client=$SERVE/bin/$SLOT loader libraries
  rm -rf "$client"; mkdir -p "$client"
  mapfile -t libraries < <(as_root chroot "$TREE" ldd /usr/bin/podman | grep -o '/[^ ]*')
  loader=$(printf '%s\n' "${libraries[@]}" | grep -m1 /ld-linux)
  cp -L "$TREE/usr/bin/podman" "${libraries[@]/#/$TREE}" "$client"
  install_wrapper "$client/${loader##*/}" --library-path "$client" "$client/podman"
}

# Beside the slot's own service, those that a test asks for in order to end them
# shellcheck disable=SC2016
START_AND_SERVE='
  rm -f "$1"; mkfifo -m 600 "$1"
  sh -c "$2" private_service <> "$1" &
  shift 2; exec "$@"'

start_service() {
  as_service rm -f "$SOCKET"
  rm -f "$STATE/service.pid"
  as_root setsid unshare --mount --pid --ipc --uts --fork \
    bash "$BENCH_SCRIPTS/chroot-init.sh" "$TREE" "$AREA" "$STATE" "$SERVICE_UID" "$SERVICE_GID" \
    env -i HOME="$AREA/home" USER="$SERVICE_USER" LOGNAME="$SERVICE_USER" LANG=C.UTF-8 PATH="$SYSTEM_PATH" \
    XDG_RUNTIME_DIR="$AREA/run" sh -c "$START_AND_SERVE" _ "$STARTER" "$(< "$PRIVATE_SERVICE")" \
    podman "${STORE[@]}" system service --time=0 "unix://$SOCKET" \
    > "$STATE/service.log" 2>&1 < /dev/null 8>&- &
  local n
  for ((n = 0; n < 100; n++)); do [ ! -s "$STATE/service.pid" ] || return 0; sleep 0.1; done
  cat "$STATE/service.log" >&2
  die "the namespaces of slot $SLOT could not be made (its log is above: $STATE/service.log)"
}

stop_service() {
  if running "$STATE/service.pid"; then
    # in good order while it answers; what is left ends with the namespace's init
    timeout 60 "${AS_SERVICE[@]}" "$SERVE/bin/podman-$SLOT" rm --all --force --time 0 > "$STATE/rm.log" 2>&1 8>&- ||
      cat "$STATE/rm.log" >&2
    end_namespace
  fi
  rm -f "$STATE/service.pid"
  as_service rm -rf "$AREA/run"
}

end_namespace() {
  local pid n
  read -r pid _ < "$STATE/service.pid"
  as_root kill -KILL "$pid" 2>/dev/null || true
  for ((n = 0; n < 50; n++)); do running "$STATE/service.pid" || return 0; sleep 0.1; done
  die "the namespace's first process $pid does not end"
}

up() {
  local t=$EPOCHREALTIME
  need_packages "${DEBIAN_PACKAGES[@]}" uidmap curl busybox-static
  make_service_user
  select_slot "$1"
  mkdir -p "$STATE"
  exec 8> "$STATE.lock"; flock 8
  if running "$STATE/service.pid" && pings; then say "$SLOT: already up, $(version), $SOCKET"; return; fi
  need_space "$SERVE" 2048
  need_tun
  need_tree "$SLOT" "$SLOT" "$CONTAINER_PACKAGES"
  stop_service
  make_slot crun
  make_accounts
  install_client
  start_service
  wait_ping "$STATE/service.log"
  say "$SLOT: $(version) up in $(seconds_since "$t") s, $SOCKET"
}

action=${1:-} suite=${2:-}; shift 2 || { sed -n '2,5s/^# //p' "$0" >&2; exit 2; }
check_suite "$suite"
case $action in
  up) up "$suite" ;;
  down | env | exec) "slot_$action" "$suite" "$@" ;;
  *) sed -n '2,5s/^# //p' "$0" >&2; exit 2 ;;
esac
