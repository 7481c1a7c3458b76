# shellcheck shell=bash
# Devices by the names of the Container Device Interface, from specifications that rtrun writes.

# cards DIRECTORY: rtrun describes a card there whose node is one that every machine has, as /etc/rtrun/devices.toml says in a
# mount namespace of its own
cards() {
    "$RUNTIME" devices --help >/dev/null 2>&1 || skip "$runtime_name describes no devices"
    mkdir -p "$work/etc" "$work/etc.upper" "$work/etc.work"
    unshare --mount bash -ec '
        mount -t tmpfs tmpfs "$1/etc.upper" && mkdir "$1/etc.upper/upper" "$1/etc.upper/work"
        mount -t overlay -o "lowerdir=/etc,upperdir=$1/etc.upper/upper,workdir=$1/etc.upper/work" overlay /etc
        mkdir -p /etc/rtrun
        printf "[family.kernel]\nnodes = [\"/dev/kmsg\"]\n" >/etc/rtrun/devices.toml
        "$2" devices --cdi "$3"' - "$work" "$RUNTIME" "$1"
}

test_podman_takes_a_card_by_its_cdi_name() {
    cards /run/cdi >"$work/cards"
    contains written "rtrun.org/kernel=0" "$(cat "$work/cards")"
    equal version 0.5.0 "$(jq -r .cdiVersion /run/cdi/rtrun.org-kernel.json)"
    equal node "1:b" "$(run --device rtrun.org/kernel=0 $image stat -c %t:%T /dev/kmsg)"
    exits 126 run --device rtrun.org/kernel=7 $image true 2>"$work/refusal"
    contains refusal "rtrun.org/kernel=7" "$(cat "$work/refusal")"
    rm -r /run/cdi
}
