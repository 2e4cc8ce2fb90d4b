# shellcheck shell=bash disable=SC2034
# What the scripts of the bench share. Sourced, never run.
#
#   BENCH  the runner's: caches, pid files, logs   (${STOCKADE_BENCH:-~/.cache/stockade/bench})
#   SERVE  the service user's: stores, sockets, homes, the test binaries
#   a slot is one Podman service: "host" (the system's own) or a Debian suite

BENCH_SCRIPTS=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
REPO=$(cd "$BENCH_SCRIPTS/../.." && pwd)
HOME=${HOME:-$(getent passwd "$(id -u)" | cut -d: -f6)}
DEFAULT_BENCH=${XDG_CACHE_HOME:-$HOME/.cache}/stockade/bench
BENCH=${STOCKADE_BENCH:-$DEFAULT_BENCH}
TARGETS=${CARGO_TARGET_DIR:-$REPO/target}
RELEASE_PATH=$TARGETS/stockade.path   # where the last static release lies
PRIVATE_SERVICE=$REPO/tests/integration/support/private_service.sh
STATIC_TARGET=x86_64-unknown-linux-gnu
SERVICE_USER=stockade
SYSTEM_PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export HOME BENCH REPO

say() { printf '== %s\n' "$*"; }
die() { printf 'bench: %s\n' "$*" >&2; exit 1; }

# seconds_since START [END]: both are an earlier $EPOCHREALTIME
seconds_since() {
  local end=${2:-$EPOCHREALTIME} then=${1/[.,]/}
  local now=${end/[.,]/}
  printf '%d.%d' $(((now - then) / 1000000)) $(((now - then) / 100000 % 10))
}

# step TEXT COMMAND...: says what is done, does it, says how long it took
step() {
  local text=$1 start=$EPOCHREALTIME; shift
  say "$text"
  "$@"
  printf '   %s: %s s\n' "$text" "$(seconds_since "$start")"
}

# ---- root, packages, disk ---------------------------------------------------

as_root() {
  # no bare return: in an exit trap that is the status the script ends with
  if [ "$(id -u)" = 0 ]; then "$@"; else with_sudo "$@"; fi
}

with_sudo() {
  command -v sudo >/dev/null || die "root is needed to run $1 (and sudo is not installed)"
  if [ ! -t 0 ] && ! sudo -n true 2>/dev/null; then
    die "root is needed to run $1 (and sudo asks for a password, but there is no terminal)"
  fi
  sudo "$@"
}

missing_packages() {
  local p
  for p in "$@"; do
    [ "$(dpkg-query -W -f '${Status}' "$p" 2>/dev/null)" = 'install ok installed' ] || printf '%s\n' "$p"
  done
}

need_packages() {
  local missing n
  command -v dpkg-query >/dev/null || die "dpkg-query is missing: the bench installs its tools on Debian only"
  # twice: where a package is there of another release, another's installation may take it away
  for n in 1 2; do
    mapfile -t missing < <(missing_packages "$@")
    [ ${#missing[@]} -gt 0 ] || return 0
    say "installing ${missing[*]}"
    mkdir -p "$BENCH"
    # one update at a time: apt-get does not wait for another's
    install_packages "${missing[@]}" 7> "$BENCH/apt.lock"
  done
  mapfile -t missing < <(missing_packages "$@")
  [ ${#missing[@]} -eq 0 ] || die "apt-get installed, but took away again: ${missing[*]}"
}

install_packages() {
  flock 7
  as_root apt-get update -qq || die "apt-get update failed"
  # another apt-get may be at work: wait for it
  as_root env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 install -y -qq --no-install-recommends \
    "$@" >/dev/null ||
    die "apt-get could not install: $*"
}

need_command() { command -v "$1" >/dev/null || die "$1 is missing (Debian package $2)"; }

# need_space DIR MIB
need_space() {
  local free
  free=$(df --output=avail -m "$1" | tail -1)
  [ "$free" -ge "$2" ] || die "no disk space: $1 has $((free)) MiB free, $2 MiB are needed"
}

# lock_bench: one demonstration or test run at a time uses a bench's services; what such a run starts is part of it
lock_bench() {
  [ "${STOCKADE_BENCH_LOCKED:-}" != "$BENCH" ] || return 0
  exec 9> "$BENCH/run.lock"
  flock --nonblock 9 || { say "another run uses this bench: waiting for it"; flock 9; }
  export STOCKADE_BENCH_LOCKED=$BENCH
}

# ---- the toolchain ----------------------------------------------------------

need_toolchain() {
  local want have
  want=$(sed -n 's/^rust-version *= *"\(.*\)"/\1/p' "$REPO/Cargo.toml")
  { command -v cargo && command -v rustc; } >/dev/null ||
    die "no Rust toolchain: Rust $want or newer is needed, install it from https://rustup.rs"
  have=$(cd "$REPO" && rustc --version | cut -d' ' -f2)
  [ -n "$have" ] || die "rustc does not run: install Rust $want or newer from https://rustup.rs"
  printf '%s\n%s\n' "$want" "$have" | sort --check=quiet --version-sort ||
    die "Rust $have is too old: $want or newer is needed (Debian 12's own is too old), install it from https://rustup.rs"
  command -v cc >/dev/null || need_packages gcc libc6-dev
}

# executable NAME < CARGO-MESSAGES: the path of what cargo built (--message-format=json)
executable() {
  jq -r --arg name "$1" 'select(.reason == "compiler-artifact" and .target.name == $name) | .executable // empty' | tail -1
}

# static_cargo SUBCOMMAND [ARGUMENT...]: for programs that run on any x86_64 Linux. All that is run is built this way, so
# that nothing is compiled twice
static_cargo() {
  local flags='-C target-feature=+crt-static'
  RUSTFLAGS="${RUSTFLAGS:-} $flags" RUSTDOCFLAGS="${RUSTDOCFLAGS:-} $flags" \
    cargo "$1" --locked --target "$STATIC_TARGET" "${@:2}"
}

# test_names: the test targets, those of tests/*.rs and tests/*/main.rs
test_names() {
  local file name
  for file in "$REPO"/tests/*.rs "$REPO"/tests/*/main.rs; do
    [ -e "$file" ] || continue
    name=${file#"$REPO/tests/"}; name=${name%/main.rs}
    echo "${name%.rs}"
  done
}

# ---- the service's user -----------------------------------------------------

# Run by root, services and tests belong to a user made for them; run by anyone else, to the caller.
find_service_user() {
  if [ "$(id -u)" = 0 ]; then
    id "$SERVICE_USER" >/dev/null 2>&1 || return 1
  else
    SERVICE_USER=$(id -un)
  fi
  SERVICE_UID=$(id -u "$SERVICE_USER") SERVICE_GID=$(id -g "$SERVICE_USER")
  [ "$SERVICE_UID" != 0 ] || die "the user $SERVICE_USER is root: a rootless service needs an ordinary one"
  SERVE=$(serve_directory)
}

serve_directory() {
  if [ "$(id -u)" != 0 ]; then echo "$BENCH/serve"; return; fi
  local home
  home=$(getent passwd "$SERVICE_USER" | cut -d: -f6)
  # another bench directory is another bench: it gets services of its own
  if [ "$BENCH" = "$DEFAULT_BENCH" ]; then echo "$home/bench"
  else echo "$home/bench-$(printf %s "$BENCH" | sha256sum | cut -c1-8)"; fi
}

make_service_user() {
  if ! find_service_user; then
    useradd --create-home --shell /bin/bash "$SERVICE_USER" || die "the user $SERVICE_USER could not be made"
    find_service_user
  fi
  need_subordinate_ids /etc/subuid --add-subuids
  need_subordinate_ids /etc/subgid --add-subgids
  # SERVE is on the way to the user's files, nothing in it is secret
  mkdir -p "$BENCH" "$SERVE" "$SERVE/bin"
  chmod 755 "$SERVE" "$SERVE/bin"
}

# need_subordinate_ids FILE USERMOD-OPTION: 65536 ids after the last range that is taken
need_subordinate_ids() {
  [ -e "$1" ] || as_root touch "$1"
  ! grep -q "^\($SERVICE_USER\|$SERVICE_UID\):" "$1" || return 0
  local first
  first=$(awk -F: '$2 + $3 > n { n = $2 + $3 } END { print (n > 100000 ? n : 100000) }' "$1")
  as_root usermod "$2" "$first-$((first + 65535))" "$SERVICE_USER" || die "no subordinate ids in $1 for $SERVICE_USER"
}

# as_service [NAME=VALUE...] COMMAND...: as the service's user, with a clean environment and the slot's private home
as_service() { "${AS_SERVICE[@]}" "$@"; }

# ---- a slot -----------------------------------------------------------------

# select_slot SLOT: sets the slot's paths and how to become its user
select_slot() {
  SLOT=$1
  STATE=$BENCH/$SLOT           # the runner's: pid file, log, wrapper
  AREA=$SERVE/$SLOT            # the user's, at the same path inside a chroot
  SOCKET=$AREA/xdg/podman/podman.sock
  SHARED=$AREA/shared
  STARTER=$AREA/xdg/starter    # takes requests for private services, where they need the slot's namespaces
  STORE=(--root "$AREA/root" --runroot "$AREA/rr")
  AS_SERVICE=(env -i HOME="$AREA/home" USER="$SERVICE_USER" LOGNAME="$SERVICE_USER" LANG=C.UTF-8 PATH="$SYSTEM_PATH"
    TERM="${TERM:-dumb}")
  if [ "$(id -u)" = 0 ]; then
    AS_SERVICE=(setpriv --reuid="$SERVICE_UID" --regid="$SERVICE_GID" --init-groups "${AS_SERVICE[@]}")
  fi
  # as a person would have it
  TYPED=("${AS_SERVICE[@]}" PATH="$SERVE/bin:$SYSTEM_PATH" XDG_RUNTIME_DIR="$AREA/xdg" CONTAINER_HOST="unix://$SOCKET")
}

# The directories and the user's configuration. $1: OCI runtime
make_slot() {
  local runtime=$1
  [ "${#AREA}" -le 47 ] || die "the path $AREA/rr is too long for Podman (50 characters): set STOCKADE_BENCH to a shorter one"
  mkdir -p "$STATE"
  if [ "$(id -u)" = 0 ]; then install -d -m 755 -o "$SERVICE_UID" -g "$SERVICE_GID" "$AREA"; else mkdir -p "$AREA"; fi
  # by the user itself: nothing is written through a link of theirs
  # shellcheck disable=SC2016
  as_service bash -euc '
    cd "$1"; mkdir -p home/.config/containers root rr shared; mkdir -p -m 700 run xdg xdg/podman
    cat > home/.config/containers/containers.conf <<CONF
[containers]
# the OCI runtime sets every limit in this list, and raising one needs CAP_SYS_RESOURCE
default_ulimits = []
[engine]
runtime = "$2"
cgroup_manager = "cgroupfs"
events_logger = "file"
CONF
    printf "[storage]\ndriver = \"overlay\"\n" > home/.config/containers/storage.conf' _ "$AREA" "$runtime"
}

# slirp4netns and pasta open this device as the user; 0666 is udev's own mode for it
need_tun() {
  [ -e /dev/net/tun ] || as_root modprobe tun 2>/dev/null || true
  [ -c /dev/net/tun ] || die "/dev/net/tun is missing: containers would have no network"
  [ "$(stat -c %a /dev/net/tun)" = 666 ] || as_root chmod 0666 /dev/net/tun
}

pings() { [ "$(as_service curl -s --max-time 5 --unix-socket "$SOCKET" http://d/libpod/_ping 2>/dev/null)" = OK ]; }

# wait_ping LOG: until the service answers, or has ended, or a minute is over
wait_ping() {
  local n
  for ((n = 0; n < 600; n++)); do
    ! pings || return 0
    running "$STATE/service.pid" || break
    sleep 0.1
  done
  cat "$1" >&2
  die "the Podman of slot $SLOT does not answer; the last line of its log: $(tail -n 1 "$1" | cut -c1-300)"
}

# STOCKADE_TEST_* of the selected slot, one a line, for env(1)
slot_environment() {
  printf '%s\n' "XDG_RUNTIME_DIR=$AREA/xdg" "STOCKADE_TEST_SLOT=$SLOT" "STOCKADE_TEST_SOCKET=$SOCKET" \
    "STOCKADE_TEST_SHARED=$SHARED" "STOCKADE_TEST_BIN=$SERVE/bin/stockade" "STOCKADE_TEST_BUSYBOX=$SERVE/bin/busybox" \
    "STOCKADE_TEST_PODMAN=$SERVE/bin/podman-$SLOT"
  [ "$SLOT" = host ] || printf '%s\n' "STOCKADE_TEST_STARTER=$STARTER"
}

# install_wrapper COMMAND...: the slot's own release of `podman --remote`, as one word
install_wrapper() {
  local w=$SERVE/bin/podman-$SLOT
  {
    printf '#!/bin/sh\n# podman --remote of slot %s\nXDG_RUNTIME_DIR=%q export XDG_RUNTIME_DIR\nexec' "$SLOT" "$AREA/xdg"
    printf ' %q' "$@" --remote --url "unix://$SOCKET"
    # shellcheck disable=SC2016
    printf ' "$@"\n'
  } > "$w.new"
  chmod 755 "$w.new"; mv "$w.new" "$w"
  install -m 755 /bin/busybox "$SERVE/bin/busybox"
}

version() { as_service "$SERVE/bin/podman-$SLOT" version --format 'Podman {{.Server.Version}}'; }

# The actions that slots have in common; stop_service is the script's own

slot_down() {
  if ! find_service_user || [ ! -d "$BENCH/$1" ]; then say "$1: nothing is up"; return; fi
  select_slot "$1"
  exec 8> "$STATE.lock"; flock 8
  stop_service
  say "$SLOT: down"
}

need_up() {
  find_service_user || die "the user $SERVICE_USER is missing: bring slot $1 up first"
  select_slot "$1"
  running "$STATE/service.pid" || die "the slot $SLOT is not up"
}

slot_env() { need_up "$1"; slot_environment; }

slot_exec() {
  local environment
  need_up "$1"; shift
  mapfile -t environment < <(slot_environment)
  exec "${AS_SERVICE[@]}" "${environment[@]}" CONTAINER_HOST="unix://$SOCKET" "$@"
}

# ---- processes, by pid ------------------------------------------------------

# A pid alone may have been given to another process since: its start time tells
start_time() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }
record_pid() { echo "$2 $(start_time "$2")" > "$1"; }

running() {
  local pid started
  [ -s "$1" ] && read -r pid started < "$1" && [ -n "$started" ] && [ "$(start_time "$pid")" = "$started" ] &&
    ! grep -q '^State:.Z' "/proc/$pid/status" 2>/dev/null
}

# stop_recorded PIDFILE: ends the recorded process, gently and then not
stop_recorded() {
  local pid n
  if running "$1"; then
    read -r pid _ < "$1"
    kill -TERM "$pid" 2>/dev/null || true
    for ((n = 0; n < 50; n++)); do running "$1" || break; sleep 0.1; done
    ! running "$1" || kill -KILL "$pid" 2>/dev/null || true
  fi
  rm -f "$1"
}

# start_group COMMAND..., wait_group: runs it in a process group of its own, without a terminal, so that a signal to the
# script ends it at once (in the foreground, the shell would wait for it first). end_group belongs in the exit trap.
GROUP=''
start_group() {
  in_session env --default-signal=INT,QUIT "$@" < /dev/null 9>&- &
  GROUP=$!
}

# in_session COMMAND...: becomes it, in a session of its own. With BENCH_NICE set it takes what processors others leave:
# where the kernel shares them out by session (autogroup), the niceness of a process counts among its session's only
in_session() {
  [ -n "${BENCH_NICE:-}" ] || exec setsid "$@"
  # shellcheck disable=SC2016  # the inner shell's
  exec setsid nice -n "$BENCH_NICE" sh -c '{ echo "$0" > /proc/self/autogroup; } 2> /dev/null; exec "$@"' "$BENCH_NICE" "$@"
}

wait_group() {
  local status=0
  wait "$GROUP" || status=$?
  # what it left behind has no business any more
  end_group KILL
  return "$status"
}

# end_group SIGNAL: to all that is left in it
end_group() {
  [ -z "$GROUP" ] || kill "-$1" -- "-$GROUP" 2>/dev/null || true
  GROUP=''
}

# ---- the guide's command lines ----------------------------------------------

PYTHON_BASE=docker.io/library/python:3.11-slim

# prepare_host PACKAGE...: for command lines on the host slot: the slot up, the program built, the Python base packed.
# Sets OURS if the slot was down before.
prepare_host() {
  need_toolchain
  need_packages "$@"
  need_command script bsdutils
  make_service_user
  select_slot host
  lock_bench
  "$BENCH_SCRIPTS/build.sh" stockade 9>&-
  running "$STATE/service.pid" || OURS=yes
  step 'rootless Podman' "$BENCH_SCRIPTS/host.sh" up 9>&-
  step 'base image' "$BENCH_SCRIPTS/base-python.sh" "$BENCH/base.tar.gz"
}

# make_work NAME: sets WORK to an empty directory of the service user's
make_work() {
  WORK=$AREA/$1
  as_root rm -rf --one-file-system "$WORK"
  as_service mkdir -p "$WORK"
}

# give FILE NAME: a copy below WORK that belongs to the service's user, written by that user; times kept, so that builds
# are cached
# shellcheck disable=SC2016
give() {
  local seconds
  seconds=$(stat -L -c %Y "$1")
  as_service sh -c 'cat > "$1"; touch -d "@$2" "$1"' _ "$WORK/$2" "$seconds" < "$1"
}

# The context of PYTHON_BASE, in WORK/base
give_python_base() {
  as_service mkdir -p "$WORK/base"
  give "$BENCH/base.tar.gz" base/base.tar.gz
  give <(printf '%s\n' 'FROM scratch' 'ADD base.tar.gz /' 'ENV LANG=C.UTF-8 PATH=/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin' \
    'CMD ["python3"]') base/Containerfile
}

# typed DIRECTORY COMMAND...: shows the command and runs it there as the service's user
typed() {
  local directory=$1; shift
  show_typed "$directory" "$@"
  start_group env -C "$directory" "${TYPED[@]}" "$@"
  wait_group
}

# start_typed_on_terminal TYPESCRIPT INPUT DIRECTORY COMMAND...: starts it (wait_group) on a terminal made for it, which
# is typed on through INPUT. What it shows goes to TYPESCRIPT too; both files are the service user's
# shellcheck disable=SC2016
start_typed_on_terminal() {
  local typescript=$1 input=$2 directory=$3; shift 3
  show_typed "$directory" "$@"
  start_group env -C "$directory" "${TYPED[@]}" sh -c 'exec script --quiet --return --flush --command "$1" "$2" < "$3"' _ \
    "$(line "$@")" "$typescript" "$input"
}

show_typed() { printf '\n%s$ %s\n' "${1##*/}" "$(line "${@:2}")"; }

# The words of a command, quoted where a shell needs it
line() {
  local word words=()
  for word in "$@"; do
    case $word in *[!A-Za-z0-9_./:=,@%+-]* | '') words+=("'${word//\'/\'\\\'\'}'") ;; *) words+=("$word") ;; esac
  done
  printf '%s' "${words[*]}"
}

# ---- the machine's own apt --------------------------------------------------

# mirror [security]: the Debian mirror that this machine uses
mirror() {
  local found
  found=$(configured_mirror "${1:-main}")
  if [ -z "$found" ]; then
    as_root apt-get update -qq >&2 || die "apt-get update failed"
    found=$(configured_mirror "${1:-main}")
  fi
  [ -n "$found" ] || die "apt's configuration names no Debian mirror (${1:-main})"
  printf '%s\n' "${found%/}"
}

configured_mirror() {
  # shellcheck disable=SC2016
  apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' 'Origin: Debian' |
    awk -v want="$1" '{ s = ($2 ~ /-security/); if (s == (want == "security") && !found++) print $1 }'
}

# apt_options: those settings of this machine's apt without which its mirror is not reached, as --aptopt arguments
apt_options() {
  apt-config dump --format '%F "%v";%n' \
    Acquire::Check-Valid-Until Acquire::Check-Date Acquire::http::Proxy Acquire::https::Proxy Acquire::https::CAInfo |
    sed -n '/ "";$/!s/^/--aptopt=/p'
}

# ---- Debian trees -----------------------------------------------------------

DEBIAN_PACKAGES=(mmdebstrap debian-archive-keyring ca-certificates)

# mmdebstrap with this machine's mirror settings and without documentation. Arguments as mmdebstrap's.
debian_tree() {
  local options
  mapfile -t options < <(apt_options)
  as_root mmdebstrap --mode=root --keyring=/usr/share/keyrings/debian-archive-keyring.gpg "${options[@]}" \
    --aptopt='APT::Install-Recommends "false"' --aptopt='Acquire::Languages "none"' \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/info/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt=force-unsafe-io "$@"
}

# cache_key FILE... < TEXT: names a cached tree by its recipe
cache_key() { { cat "$@"; cat; } | sha256sum | cut -c1-16; }
