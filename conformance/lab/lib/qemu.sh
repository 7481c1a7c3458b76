# shellcheck shell=bash disable=SC2154
# Which QEMU, with which accelerator, and the line that starts a guest.

# find_qemu: sets the array $qemu, the command
find_qemu() {
    qemu=("${LAB_QEMU:-qemu-system-x86_64}")
    if [ "${qemu[0]}" = sid ]; then
        find_newer_qemu
    elif [ ${#cards[@]} -eq 0 ]; then
        need "${qemu[0]}" qemu-system-x86
    elif ! "${qemu[0]}" -device help 2>/dev/null | grep -q '"vfio-user-pci"'; then
        find_newer_qemu
    fi
}

# A QEMU of Debian's sid in a folder of its own, started through that folder's own loader: nothing is mounted, no chroot needed.
find_newer_qemu() {
    local folder libraries
    folder=$cache/qemu-sid-$(digest "$lab/lib/qemu.sh")
    cached "$(basename "$folder")" make_newer_qemu
    libraries=$folder/tree/usr/lib/x86_64-linux-gnu
    qemu=(env "QEMU_MODULE_DIR=$libraries/qemu" "$folder/tree/lib64/ld-linux-x86-64.so.2"
        --library-path "$libraries:$(printf '%s:' "$libraries"/*/)" "$folder/tree/usr/bin/qemu-system-x86_64"
        -L "$folder/tree/usr/share/qemu" -L "$folder/tree/usr/share/seabios" -L "$folder/tree/usr/lib/ipxe/qemu")
}
make_newer_qemu() {
    say "making a QEMU with vfio-user-pci from Debian's sid (once; some minutes)"
    bootstrap "$1/tree" sid || return 1
    apt_in "$1/tree" update || return 1
    apt_in "$1/tree" install --no-install-recommends qemu-system-x86 || return 1
    apt_in "$1/tree" clean
    rm -rf "$1"/tree/var/lib/apt/lists/* "$1"/tree/usr/share/{doc,man,locale}
}

# find_accel: sets $accel. A /dev/kvm that is there may still hang every guest, so a kernel is booted once with a limit.
find_accel() {
    accel=${LAB_ACCEL:-}
    [ -z "$accel" ] || return 0
    local answer
    answer=$cache/accel-$(digest "$(uname -r)" "$(cat /proc/sys/kernel/random/boot_id)" "${qemu[*]}")
    if [ ! -e "$answer" ]; then
        if kvm_boots; then echo kvm; else echo tcg; fi >"$answer.new"
        mv "$answer.new" "$answer"
        [ "$(cat "$answer")" = kvm ] || say "no guest boots with KVM here ($kvm_why): QEMU's own translation (TCG) is used, which is slower"
    fi
    accel=$(cat "$answer")
}
kvm_boots() {
    [ -w /dev/kvm ] || { kvm_why="/dev/kvm is missing or not writable"; return 1; }
    kvm_why="a kernel did not boot in 15 s"
    timeout -k 1 15 "${qemu[@]}" -machine q35,accel=kvm,kernel-irqchip=split -cpu host -smp 2 -m 512 -nodefaults -display none \
        -no-reboot -serial stdio -kernel "$kernel/vmlinuz" -initrd "$kernel/initrd" \
        -append "console=ttyS0 quiet panic=-1 lab.probe" </dev/null 2>/dev/null | grep -q 'lab: this kernel boots'
}

# qemu_line: sets the array $line, everything but the shares and the channels
qemu_line() {
    local half=$((cpus / 2)) isolated='' one
    # a guest with one CPU has none to isolate
    [ "$half" -eq 0 ] || isolated="isolcpus=$((cpus - half))-$((cpus - 1)) nohz_full=$((cpus - half))-$((cpus - 1)) irqaffinity=0-$((cpus - half - 1))"
    line=("${qemu[@]}" -nodefaults -display none -no-reboot -smp "$cpus" -m "$memory")
    case $accel in
        kvm) line+=(-machine "q35,accel=kvm,kernel-irqchip=split" -cpu host) ;;
        tcg) line+=(-machine q35 -accel "tcg,thread=multi,tb-size=512" -cpu max) ;;
        *) die "LAB_ACCEL is kvm or tcg, not $accel" ;;
    esac
    # VFIO wants an IOMMU; the lab's own virtio devices do not go through it
    line+=(-device "intel-iommu,intremap=on" -device virtio-rng-pci)
    # no_timer_check: a guest on a busy machine may miss the ticks that the kernel waits for at boot, and panics
    line+=(-kernel "$kernel/vmlinuz" -initrd "$kernel/initrd"
        -append "console=ttyS0 quiet panic=-1 mitigations=off no_timer_check intel_iommu=on $isolated systemd.unit=multi-user.target systemd.show_status=0 $append")
    line+=(-drive "file=$root/root.img,if=virtio,format=raw,snapshot=on,cache=unsafe"
        -drive "file=$kernel/modules.img,if=virtio,format=raw,snapshot=on,cache=unsafe")
    if [ ${#cards[@]} -gt 0 ]; then
        line+=(-object "memory-backend-memfd,id=lab.memory,size=${memory}M,share=on" -numa "node,memdev=lab.memory")
        for one in "${cards[@]}"; do
            line+=(-device "{\"driver\":\"vfio-user-pci\",\"socket\":{\"type\":\"unix\",\"path\":\"$one\"}}")
        done
    fi
    for one in "${devices[@]}"; do line+=(-device "$one"); done
    line+=("${qemu_more[@]}")
}
