# shellcheck shell=bash disable=SC2154
# Devices given to a container by plain linux.devices: a character device of a user-space driver (CUSE), a PCI card's interrupt
# (UIO), and a whole card (VFIO). The card is QEMU's `edu`: 1234:11e8, its identification at BAR 0, offset 0.

# python_bundle NAME [JQ-FILTER…]: a bundle whose root is the guest's own, read-only, so that a container has python
python_bundle() {
    mkdir -p "$work/guest-root"
    mountpoint -q "$work/guest-root" || mount --bind / "$work/guest-root"
    # the bind has the root disk alone, not the share that this file comes from
    cp "$tests"/init/*.py "$work/"
    bundle "$1" ".root = {\"path\": \"$work/guest-root\", \"readonly\": true}" "${@:2}"
}
# device PATH: gives the last bundle this node of the host's, and the right to use it
device() {
    local numbers
    numbers=$(stat -c '%Hr %Lr' "$1")
    edit ".linux.devices += [{\"path\": \"$1\", \"type\": \"c\", \"major\": ${numbers% *}, \"minor\": ${numbers#* }, \"fileMode\": 384}]
        | .linux.resources.devices += [{\"allow\": true, \"type\": \"c\", \"major\": ${numbers% *}, \"minor\": ${numbers#* }, \"access\": \"rw\"}]"
}
# card N: the Nth edu card's place on the bus, or nothing
card() { lspci -D -d 1234:11e8 | awk -v n="$1" 'NR == n { print $1 }'; }
# bind CARD DRIVER
bind() {
    [ ! -e "/sys/bus/pci/devices/$1/driver" ] || echo "$1" >"/sys/bus/pci/devices/$1/driver/unbind"
    echo "$2" >"/sys/bus/pci/devices/$1/driver_override"
    echo "$1" >/sys/bus/pci/drivers_probe
    [ "$(basename "$(readlink -f "/sys/bus/pci/devices/$1/driver")")" = "$2" ]
}

test_cuse_node() {
    python3 "$tests/init/cuse.py" lab0 'a card says hello' >"$work/cuse.log" 2>&1 &
    local server=$!
    there() { [ -c /dev/lab0 ]; }
    eventually 20 there || { cat "$work/cuse.log"; return 1; }
    bundle cuse '.process.args = ["head", "-n", "1", "/dev/lab0"]'
    device /dev/lab0
    equal "read in the container" "a card says hello" "$(run cuse)" || { cat "$work/cuse.log"; return 1; }
    edit '.linux.resources.devices = [{"allow": false, "access": "rwm"}]'
    exits 1 run cuse 2>"$work/refusal"
    contains refusal "not permitted" "$(cat "$work/refusal")"
    kill $server
}

test_uio_interrupt() {
    local card
    card=$(card 1)
    [ -n "$card" ] || skip "no edu card: lab --device edu"
    bind "$card" uio_pci_generic
    there() { [ -c /dev/uio0 ]; }
    eventually 10 there
    python_bundle uio ".process.args = [\"python3\", \"$work/uio.py\", \"/dev/uio0\"] | .mounts += [{\"destination\": \"/mnt\", \"type\": \"bind\", \"source\": \"/sys/bus/pci/devices/$card\", \"options\": [\"rbind\", \"rw\"]}]"
    device /dev/uio0
    equal "what the container got" "interrupts: 1" "$(run uio)"
}

test_vfio_card() {
    local card group
    card=$(card 2)
    [ -n "$card" ] || skip "no edu card: lab --device edu"
    bind "$card" vfio-pci
    group=$(basename "$(readlink "/sys/bus/pci/devices/$card/iommu_group")")
    python_bundle vfio ".process.args = [\"python3\", \"$work/vfio.py\", \"$group\", \"$card\"]"
    device /dev/vfio/vfio
    device "/dev/vfio/$group"
    equal "what the container reads of the card" "vendor 1234 device 11e8 identification 010000ed inverted ffffff00" "$(run vfio)"
}
