# shellcheck shell=bash disable=SC2154
# The guest's root file system and the kernel package of the same release, from Debian by debootstrap.

# find_root: sets $root, a folder with root.img, linux-image.deb and packages.txt (what is in the image)
find_root() {
    root=$cache/root-$suite-$(digest "$lab/guest/packages" "$lab/lib/root.sh")
    cached "$(basename "$root")" make_root
}

# mirror: this machine's own Debian source, so that the lab is fetched from where the machine's packages come from; nothing on a
# machine that has none: debootstrap then takes its default
mirror() {
    if [ -n "${LAB_MIRROR:-}" ]; then echo "$LAB_MIRROR"; return; fi
    local files=(/etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources)
    cat "${files[@]}" 2>/dev/null | awk '
        /^#/ { next }
        $1 == "URIs:" { print $2 }
        $1 == "deb" { for (i = 2; i <= NF; i++) if ($i ~ /^[a-z+]+:\/\//) { print $i; break } }
    ' | grep -E '/debian/?$' | head -n 1 || true
}

# bootstrap FOLDER SUITE: a minimal Debian with every package's service kept from starting
bootstrap() {
    [ "$(id -u)" = 0 ] || die "making an image needs root (debootstrap); a made image does not"
    need debootstrap debootstrap
    local from log=$1.log
    from=$(mirror)
    debootstrap --variant=minbase "$2" "$1" ${from:+"$from"} >"$log" 2>&1 </dev/null \
        || { tail -n 20 "$log" >&2; say "debootstrap of Debian $2 failed"; return 1; }
    printf '#!/bin/sh\nexit 101\n' >"$1/usr/sbin/policy-rc.d"
    chmod 755 "$1/usr/sbin/policy-rc.d"
    cp /etc/resolv.conf "$1/etc/"
    # a mirror may be a snapshot whose release file has expired; it is signed all the same
    echo 'Acquire::Check-Valid-Until "false";' >"$1/etc/apt/apt.conf.d/50lab"
    apt-config dump | grep -i '^Acquire::.*proxy' >"$1/etc/apt/apt.conf.d/50proxy" || true
    rm -f "$log"
}

# apt_in FOLDER ARGUMENTS…: apt-get inside it
apt_in() {
    local folder=$1
    shift
    LC_ALL=C DEBIAN_FRONTEND=noninteractive chroot "$folder" apt-get -qq -o Dpkg::Options::=--force-unsafe-io \
        -o Dpkg::Use-Pty=0 -o APT::Sandbox::User=root "$@" >"$folder.log" 2>&1 </dev/null \
        || { tail -n 20 "$folder.log" >&2; say "apt-get $1 in the guest's root failed"; return 1; }
    rm -f "$folder.log"
}

make_root() {
    local new=$1 tree=$1/tree
    local packages
    mapfile -t packages < <(sed 's/#.*//' "$lab/guest/packages" | xargs -n 1)
    need mkfs.ext4 e2fsprogs
    say "making a root file system of Debian $suite (once; some minutes)"
    bootstrap "$tree" "$suite" || return 1
    apt_in "$tree" update || return 1
    apt_in "$tree" install --no-install-recommends "${packages[@]}" || return 1
    # what the metapackage depends on is the kernel itself
    local kernel
    kernel=$(chroot "$tree" apt-cache depends "linux-image-rt-$arch" | awk '$1 == "Depends:" { print $2; exit }')
    chroot "$tree" sh -c "cd /tmp && apt-get -qq -o APT::Sandbox::User=root download '$kernel'" || return 1
    mv "$tree"/tmp/linux-image*.deb "$new/linux-image.deb"
    chroot "$tree" dpkg-query -W >"$new/packages.txt"
    settle "$tree"
    truncate -s 6G "$new/root.img"
    mkfs.ext4 -q -F -E lazy_itable_init=1 -m 0 -d "$tree" "$new/root.img" || return 1
    rm -rf --one-file-system "$tree"
}

# settle FOLDER: what the guest's programs expect of a machine that was set up
settle() {
    apt_in "$1" clean
    rm -rf "$1"/var/lib/apt/lists/* "$1"/usr/share/{doc,man,locale,info} "$1/usr/sbin/policy-rc.d" "$1/etc/resolv.conf"
    echo lab >"$1/etc/hostname"
    echo '127.0.0.1 localhost lab' >"$1/etc/hosts"
    rm -f "$1/etc/machine-id"
    tr -d - </proc/sys/kernel/random/uuid >"$1/etc/machine-id"
    mkdir -p "$1"/{lab,repo,out}
    chroot "$1" useradd --create-home --shell /bin/bash --uid 1000 lab
    # ranges for rootless containers (lab) and for podman's --userns=auto (containers)
    printf 'lab:100000:65536\ncontainers:1000000:1000000\n' >"$1/etc/subuid"
    cp "$1/etc/subuid" "$1/etc/subgid"
}
