#!/bin/bash
# setup.sh ROOT RESULTS PUBLIC-KEY: makes a guest of a Debian tree at ROOT (vm-image.sh), as root. Kernel, initrd and
# the guest's host key go to RESULTS.
set -euo pipefail
root=$1 results=$2 key=$3 here=$(cd "$(dirname "$0")" && pwd)
umask 022

# ---- kernel -----------------------------------------------------------------

# A guest in an emulator loads only this from an initrd, and unpacking modules costs it more than reading them
make_initrd() {
  local initrd file
  initrd=$(mktemp -d)
  mkdir -p "$initrd"/{bin,dev,proc,sys,root,modules}
  cp /bin/busybox "$initrd/bin/busybox"
  cp "$here/init" "$initrd/init"
  chmod 755 "$initrd/init" "$initrd/bin/busybox"
  for module in virtio_pci virtio_blk ext4; do
    modprobe --dirname "$root/usr" --set-version "$version" --show-depends "$module"
  done | sed -n 's/^insmod \([^ ]*\).*/\1/p' | awk '!seen[$0]++' > "$initrd/list"
  while read -r file; do
    cp "$file" "$initrd/modules/"
    echo "${file##*/}"
  done < "$initrd/list" > "$initrd/load"
  (cd "$initrd" && find . | cpio --create --format=newc --quiet) > "$results/initrd"
  rm -r "$initrd"
}

# where they lie has changed over the releases
for modules in "$root"/kernel/{,usr/}lib/modules/*; do [ ! -d "$modules" ] || break; done
version=${modules##*/}
vmlinuz=$root/kernel/boot/vmlinuz-$version
[ -e "$vmlinuz" ] || vmlinuz=$modules/vmlinuz
cp "$vmlinuz" "$results/vmlinuz"
mkdir -p "$root/usr/lib/modules"
cp -a "$modules" "$root/usr/lib/modules/"
rm -r "$root/kernel"
# hardware that no guest has
(cd "$root/usr/lib/modules/$version/kernel" && rm -rf sound drivers/{gpu,infiniband,media,hid,usb,nvme,scsi,xen,md} \
  drivers/net/{ethernet,wireless} fs/{xfs,btrfs,ocfs2,ceph,smb,nfs,nfsd,gfs2,f2fs,jfs,bcachefs} net/{sctp,ceph})
find "$root/usr/lib/modules" -name '*.ko.xz' -print0 | xargs -0 -r -P2 -n50 xz -d -T1
depmod --basedir "$root" "$version"
make_initrd

# ---- users ------------------------------------------------------------------

# alice has every controller, bob has no cpu (files/etc/systemd/system/user@1001.service.d)
ids=100000
for user in alice bob; do
  chroot "$root" useradd --create-home --shell /bin/bash --password '*' "$user"
  sed -i "/^$user:/d" "$root/etc/subuid" "$root/etc/subgid"
  echo "$user:$ids:65536" | tee -a "$root/etc/subuid" >> "$root/etc/subgid"
  ids=$((ids + 65536))
  mkdir -p "$root/var/lib/systemd/linger"
  : > "$root/var/lib/systemd/linger/$user"
done
chmod 700 "$root/home/alice"
# where the tests' files go: bob runs the program too
chroot "$root" install -d -o alice -g alice /srv/bench

# ---- files ------------------------------------------------------------------

cp -R "$here/files/." "$root"
chmod 440 "$root/etc/sudoers.d/bench"
: > "$root/etc/fstab"
od -An -N16 -tx1 /dev/urandom | tr -d ' \n' > "$root/etc/machine-id"
touch "$root/etc/.updated" "$root/var/.updated"

# the runner's way in
for home in root home/alice; do
  owner=$(stat -c %u:%g "$root/$home")
  install -d -m 700 -o "${owner%:*}" -g "${owner#*:}" "$root/$home/.ssh"
  install -m 600 -o "${owner%:*}" -g "${owner#*:}" "$key" "$root/$home/.ssh/authorized_keys"
done
rm -f "$root"/etc/ssh/ssh_host_*
ssh-keygen -q -t ed25519 -N '' -C guest -f "$root/etc/ssh/ssh_host_ed25519_key"
echo "guest $(cut -d' ' -f1,2 "$root/etc/ssh/ssh_host_ed25519_key.pub")" > "$results/known_hosts"
# where there are penalties for a client whose connections break off, there are none for ours
if grep -q PerSourcePenalties "$root/usr/sbin/sshd" "$root"/usr/lib/openssh/* 2>/dev/null; then
  echo 'PerSourcePenalties no' >> "$root/etc/ssh/sshd_config.d/bench.conf"
fi

# ---- units ------------------------------------------------------------------

enable() { mkdir -p "$root/etc/systemd/$1.wants"; ln -sf "$2" "$root/etc/systemd/$1.wants/"; }
enable system/sysinit.target /etc/systemd/system/bench-net.service
enable system/multi-user.target /etc/systemd/system/bench-ssh.service
enable user/sockets.target /usr/lib/systemd/user/podman.socket
rm -f "$root"/etc/systemd/user/default.target.wants/podman*.service
ln -sf /usr/lib/systemd/system/multi-user.target "$root/etc/systemd/system/default.target"
# what costs time and is of no use in a guest that lives for minutes: Podman as root, timers, consoles, what is done once
while read -r unit; do ln -sf /dev/null "$root/etc/systemd/system/$unit"; done < "$here/masked-units"
