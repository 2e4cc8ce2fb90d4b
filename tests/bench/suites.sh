# shellcheck shell=bash disable=SC2034,SC2154
# Trees of Debian suites with the container stack in them, cached by recipe. Sourced beside lib.sh, never run.

# Of every suite, whatever it is used for
CONTAINER_PACKAGES=podman,crun,conmon,netavark,aardvark-dns,nftables,passt,slirp4netns,uidmap,catatonit,ca-certificates

check_suite() { case $1 in *[!a-z0-9-]* | '' | host) die "not a Debian suite: $1" ;; esac; }

# The container stack from experimental, the rest from sid
pin_experimental() {
  cat > "$1" <<'PIN'
Package: podman buildah netavark aardvark-dns crun conmon golang-github-containers-common containers-common containers-storage
Pin: release a=experimental
Pin-Priority: 990
PIN
}

# make_tree SUITE DIRECTORY PACKAGES [MMDEBSTRAP-OPTION...]
make_tree() {
  local main security suite=$1 tree=$2 packages=$3 sources options=(); shift 3
  main=$(mirror)
  case $suite in
    sid) sources=("deb $main sid main") ;;
    experimental)
      suite=sid sources=("deb $main sid main" "deb $main experimental main")
      pin_experimental "$tree.pin"
      options=("--setup-hook=install -Dm644 '$tree.pin' \"\$1\"/etc/apt/preferences.d/experimental") ;;
    *)
      security=$(mirror security)
      sources=("deb $main $suite main" "deb $main $suite-updates main" "deb $security $suite-security main") ;;
  esac
  as_root rm -rf --one-file-system "$tree.part"
  debian_tree --variant=minbase --include="$packages" "${options[@]}" "$@" "$suite" "$tree.part" "${sources[@]}"
  rm -f "$tree.pin"
  as_root rm -rf "$tree.part/var/cache/apt" "$tree.part/var/lib/apt/lists"
  as_root mv "$tree.part" "$tree"
}

# need_tree NAME SUITE PACKAGES [MMDEBSTRAP-OPTION...]: sets TREE to the cached tree of that name, making it where there
# is none of this recipe
need_tree() {
  local key old name=$1; shift
  key=$(cache_key <(declare -f make_tree pin_experimental debian_tree) <<< "$*")
  TREE=$BENCH/roots/$name-$key
  [ ! -d "$TREE" ] || { say "$name: tree is cached"; return; }
  mkdir -p "$BENCH/roots"
  need_space "$BENCH" 2048
  for old in "$BENCH/roots/$name"-*; do
    [ ! -d "$old" ] || as_root rm -rf --one-file-system "$old"
  done
  step "$name: tree from Debian packages (about a minute)" make_tree "$1" "$TREE" "${@:2}"
}
