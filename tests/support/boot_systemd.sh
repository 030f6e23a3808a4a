#!/bin/sh
# Becomes a systemd that boots: called by booted_systemd.py as process 1 of namespaces of its own.
# The machine's files stay as they are: what is written goes into memory, and is gone at the end.
# SCRATCH: an empty folder. REPOSITORY, PYTHON, PACKAGES: what is to be seen as /opt/iop4d,
# /opt/python and /opt/packages.
set -eu
scratch=$1 repository=$2 python=$3 packages=$4

mount -t tmpfs -o mode=755 tmpfs "$scratch"
mkdir "$scratch/upper" "$scratch/work" "$scratch/root"
mount -t overlay overlay \
    -o "lowerdir=/,upperdir=$scratch/upper,workdir=$scratch/work" "$scratch/root"
cd "$scratch/root"

# Devices, processes and control groups of its own; the kernel's settings cannot be changed.
mount -t tmpfs -o mode=755 tmpfs dev
for node in null zero full random urandom tty; do cp -a "/dev/$node" dev/; done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
mount -t tmpfs -o mode=1777 tmpfs dev/shm
ln -s pts/ptmx dev/ptmx
ln -s /proc/self/fd dev/fd
mount -t proc proc proc
mount --bind proc/sys proc/sys
mount -o remount,bind,ro proc/sys
mount --bind /sys sys
mount -o remount,bind,ro sys
mount -t cgroup2 cgroup2 sys/fs/cgroup

for folder in run tmp home srv opt etc/systemd/system var/log/journal; do
    mkdir -p "$folder"
    mount -t tmpfs -o mode=755 tmpfs "$folder"
done
chmod 1777 tmp

seen() {
    mkdir -p "$2"
    mount --bind "$1" "$2"
    mount -o remount,bind,ro "$2"
}
seen "$repository" opt/iop4d
seen "$python" opt/python
seen "$packages" opt/packages

# The units of the start: of all that the machine has, the targets and the journal.
mkdir -p opt/units/sockets.target.wants opt/units/sysinit.target.wants
for unit in sysinit.target basic.target sockets.target multi-user.target shutdown.target \
    umount.target final.target network-online.target network.target local-fs.target \
    time-sync.target timers.target paths.target slices.target systemd-journald.service \
    systemd-journald.socket systemd-journald-dev-log.socket; do
    cp -L "lib/systemd/system/$unit" opt/units/
done
ln -s ../systemd-journald.socket ../systemd-journald-dev-log.socket opt/units/sockets.target.wants
ln -s ../systemd-journald.service opt/units/sysinit.target.wants

mkdir old
pivot_root . old
hostname observatory
umount -l old
rmdir old
cd /
echo 0123456789abcdef0123456789abcdef > /etc/machine-id
useradd --create-home --user-group --shell /bin/sh observer

# An interpreter that is built on a library finds it by the place where it was built, or here.
echo /opt/python/lib > /etc/ld.so.conf.d/00-iop4d.conf
ldconfig

# A virtual environment with the program, as an administrator makes it.
environment() {
    mkdir -p "$1/bin" "$1/lib/$4/site-packages"
    ln -s "$2" "$1/bin/python3"
    printf 'home = %s\ninclude-system-site-packages = false\n' "$3" > "$1/pyvenv.cfg"
    printf '/opt/iop4d\n/opt/packages\n' > "$1/lib/$4/site-packages/iop4d.pth"
}
version=$(basename "$(ls -d /opt/python/bin/python3.[0-9]* | grep -E '/python3\.[0-9]+$' | head -1)")
environment /opt/env "/opt/python/bin/$version" /opt/python/bin "$version"
seen /opt/python /home/observer/.pyenv
environment /home/observer/env "/home/observer/.pyenv/bin/$version" /home/observer/.pyenv/bin "$version"
chown observer: /home/observer

# As every system has it, without which no credential reaches a service.
mount --make-rshared /

exec env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin LANG=C.UTF-8 container=iop4d \
    SYSTEMD_UNIT_PATH=/etc/systemd/system:/run/systemd/system:/opt/units \
    SYSTEMD_GENERATOR_PATH=/opt/none \
    /lib/systemd/systemd --system --unit=multi-user.target
