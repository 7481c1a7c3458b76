# shellcheck shell=bash disable=SC2154
# The kernel: a linux-image package made into vmlinuz, a disk with its modules, and an initrd that gets at the root disk.

# What the initrd loads before the root disk can be mounted (ext4 asks for crc32c by name). The rest is loaded from the modules' disk.
boot_modules=(virtio_pci virtio_blk crc32c_generic crc32c_intel ext4 9pnet_virtio 9p)

# find_kernel: sets $kernel, a folder with vmlinuz, initrd, modules.img and release
find_kernel() {
    local deb=${kernel_deb:-$root/linux-image.deb} stamp
    stamp=$(stat -Lc '%s %Y' "$deb")
    kernel=$cache/kernel-$(digest "$(basename "$root") $deb $stamp" "$lab/guest/initrd" "$lab/lib/kernel.sh")
    cached "$(basename "$kernel")" make_kernel "$deb"
}

make_kernel() {
    local deb=$1 new=$2 tree=$2/tree modules image
    need depmod kmod
    need cpio cpio
    need mkfs.ext4 e2fsprogs
    dpkg-deb -x "$deb" "$tree" || { say "$deb is no Debian package"; return 1; }
    modules=$(find "$tree" -path '*/lib/modules/*' -prune -print -quit)
    image=$(find "$tree/boot" -name 'vmlinuz-*' -print -quit 2>/dev/null)
    [ -n "$modules" ] && [ -n "$image" ] \
        || { say "$deb has no kernel and modules in it: a linux-image-…-rt-$arch package is wanted, not a metapackage"; return 1; }
    basename "$modules" >"$new/release"
    cp "$image" "$new/vmlinuz"
    cp "$tree"/boot/config-* "$modules/config"
    depmod -b "$(dirname "$(dirname "$(dirname "$modules")")")" "$(cat "$new/release")"
    make_initrd "$new" "$modules" || return 1
    truncate -s 400M "$new/modules.img"
    mkdir "$new/disk"
    mv "$modules" "$new/disk/"
    mkfs.ext4 -q -F -m 0 -O ^has_journal -d "$new/disk" "$new/modules.img" || return 1
    rm -rf --one-file-system "$tree" "$new/disk"
}

# with_dependencies MODULES-FOLDER NAME…: files in the order in which they have to be loaded
with_dependencies() {
    local folder=$1 name
    shift
    for name in "$@"; do
        awk -F: -v name="$name" '{ file = $1; sub(/.*\//, "", file); sub(/\.ko.*/, "", file); gsub(/-/, "_", file) }
            file == name { n = split($2, needs, " "); for (i = n; i; i--) print needs[i]; print $1; exit }' "$folder/modules.dep"
    done | awk '!seen[$0]++'
}

# make_initrd NEW MODULES-FOLDER: busybox, the modules uncompressed and numbered in their order, guest/initrd as /init
make_initrd() {
    local tree=$1/initrd.tree file number=100
    mkdir -p "$tree"/{bin,dev,proc,sys,root,modules}
    cp "$(guest_busybox)" "$tree/bin/busybox"
    cp "$lab/guest/initrd" "$tree/init"
    chmod 755 "$tree/init" "$tree/bin/busybox"
    for file in $(with_dependencies "$2" "${boot_modules[@]}"); do
        number=$((number + 1))
        case $file in
            *.xz) xz -dc "$2/$file" ;;
            *.zst) zstd -dcq "$2/$file" ;;
            *.gz) gzip -dc "$2/$file" ;;
            *) cat "$2/$file" ;;
        esac >"$tree/modules/$number-$(basename "${file%%.ko*}").ko" || { say "could not unpack $file"; return 1; }
    done
    (cd "$tree" && find . | cpio --quiet -o -H newc | gzip -1) >"$1/initrd"
    rm -rf --one-file-system "$tree"
}

# guest_busybox: a static one for the initrd
guest_busybox() {
    local found
    found=$(command -v busybox) || die "no busybox here: apt-get install busybox-static"
    echo "$found"
}
