#!/bin/bash
# chroot-init.sh ROOT AREA STATE UID GID COMMAND...: the first process of a chroot slot's namespaces. Makes ROOT the root
# of a private mount tree, with AREA at its own path and a private cgroup2 mount, and runs COMMAND there as the user.
# Run by chroot.sh in new mount, pid, ipc and uts namespaces: nothing here is seen outside them.
set -euo pipefail
root=$1 area=$2 state=$3 uid=$4 gid=$5; shift 5

# /proc is still the machine's: this is the pid to end the namespace by
read -r -d '' stat < /proc/self/stat || true
read -ra rest <<< "${stat##*) }"
echo "${stat%% *} ${rest[19]}" > "$state/service.pid"

mount --make-rprivate /
mount --bind "$root" "$root"; cd "$root"
for f in passwd group subuid subgid; do mount --bind "$state/etc/$f" "etc/$f"; done
[ ! -e etc/resolv.conf ] || mount --bind /etc/resolv.conf etc/resolv.conf
mount -t proc proc proc
mount --rbind /sys sys
mount --rbind /dev dev
umount -l -R sys/fs/cgroup 2>/dev/null || true
mount -t cgroup2 cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755 tmpfs run; mkdir run/lock
mount -t tmpfs -o mode=1777 tmpfs tmp
# the place for AREA may not exist in the tree, and the tree is not ours to change
top=/${area#/}; top=/$(cut -d/ -f2 <<< "$top")
mkdir -p ".$top"
[ "$top" = /tmp ] || [ "$top" = /run ] || mount -t tmpfs -o mode=755 tmpfs ".$top"
mkdir -p ".$area"; mount --bind "$area" ".$area"
mkdir -p run/old-root
pivot_root . run/old-root; cd /; umount -l /run/old-root
mount --make-rshared /
cd "$area"
# an init that reaps what containers leave; the user's command below it
exec catatonit -- setpriv --reuid="$uid" --regid="$gid" --clear-groups "$@"
