# shellcheck shell=bash disable=SC2034,SC2154
# What a guest is made of: kernel, first file system and disk, cached by recipe. Sourced by vm.sh, never run.
#
#   $GUESTS/SUITE-KEY/{vmlinuz,initrd,disk.raw,known_hosts}   never written to again: a guest works on an overlay

GUESTS=$BENCH/vm/images
GUEST_FILES=$BENCH_SCRIPTS/guest
GUEST_PACKAGES=$CONTAINER_PACKAGES,systemd,systemd-sysv,dbus,dbus-user-session,libpam-systemd,udev,kmod,sudo
GUEST_PACKAGES+=,iproute2,procps,util-linux,e2fsprogs,openssh-server,curl
# what only the tests' way into the guest needs, and the runner's tools
IMAGE_TOOLS=("${DEBIAN_PACKAGES[@]}" e2fsprogs busybox-static cpio kmod xz-utils openssh-client)
DISK_SIZE=6G

# A hook of mmdebstrap, run by sh with the tree as $1: the suite's own kernel, unpacked and not installed, since what its
# maintainer scripts make (an initrd, a boot loader's menu) is of no use here
fetch_kernel() {
  export APT_CONFIG="$MMDEBSTRAP_APT_CONFIG"
  image=$(apt-cache depends linux-image-cloud-amd64 | sed -n 's/^ *Depends: \(linux-image-[0-9]\)/\1/p')
  mkdir "$1/kernel"
  cd "$1/kernel" || exit 1
  for part in image base binary modules; do
    # newer kernels come in parts
    package=linux-$part-${image#linux-image-}
    [ -z "$(apt-cache show "$package" 2>/dev/null)" ] || apt-get -qq -o APT::Sandbox::User=root download "$package" || exit 1
  done
  for package in *.deb; do dpkg-deb -x "$package" .; done
  rm ./*.deb
}

# The key to the guests, one a bench
need_key() {
  KEY=$BENCH/vm/id_ed25519
  [ -s "$KEY" ] || { rm -f "$KEY" "$KEY.pub"; ssh-keygen -q -t ed25519 -N '' -C stockade-bench -f "$KEY"; }
}

# need_image SUITE: sets IMAGE to the suite's cached image, making it where there is none of this recipe
need_image() {
  local key old start=$EPOCHREALTIME
  mkdir -p "$GUESTS"
  need_key
  key=$({ declare -f make_tree pin_experimental debian_tree fetch_kernel make_image
    echo "$1 $GUEST_PACKAGES $DISK_SIZE"
    find "$GUEST_FILES" -type f -print0 | sort -z | xargs -0 tail -v -n +1 | sed "s|$GUEST_FILES||"; } |
    cache_key "$KEY.pub")
  IMAGE=$GUESTS/$1-$key
  [ ! -s "$IMAGE/disk.raw" ] || { say "$1: image is cached"; return; }
  need_packages "${IMAGE_TOOLS[@]}"
  need_space "$BENCH" 3072
  need_tree "vm-$1" "$1" "$GUEST_PACKAGES" --customize-hook="$(declare -f fetch_kernel); fetch_kernel \"\$1\""
  for old in "$GUESTS/$1"-*; do [ ! -d "$old" ] || as_root rm -rf --one-file-system "$old"; done
  step "$1: image" make_image "$TREE" "$IMAGE"
}

# make_image TREE DIRECTORY: the tree itself stays as it is: what makes a guest of it lies in an overlay that only the
# namespaces of this command see
make_image() {
  local part=$2.part
  as_root rm -rf --one-file-system "$part"
  mkdir -p "$part"
  # shellcheck disable=SC2016
  as_root unshare --mount --propagation private bash -euc '
    mkdir "$2/layers"
    mount -t tmpfs -o mode=755 tmpfs "$2/layers"
    mkdir "$2"/layers/{upper,work,root}
    mount -t overlay -o "lowerdir=$1,upperdir=$2/layers/upper,workdir=$2/layers/work" overlay "$2/layers/root"
    "$3/setup.sh" "$2/layers/root" "$2" "$4"
    mke2fs -q -t ext4 -O ^has_journal,^metadata_csum -m 0 -E lazy_itable_init=1 -d "$2/layers/root" "$2/disk.raw" "$5"
    chmod 644 "$2"/*.raw' _ "$1" "$part" "$GUEST_FILES" "$KEY.pub" "$DISK_SIZE"
  as_root rmdir "$part/layers"
  mv "$part" "$2"
}
