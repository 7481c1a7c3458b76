# shellcheck shell=bash disable=SC2154
# The same cards asked for by one annotation, org.rtrun.devices: rtrun finds nodes, register files and rules by itself.

. "$(dirname "${BASH_SOURCE[0]}")/devices.sh"

# asks JSON: the annotations of the last bundle, without their prefix
asks() { edit ".annotations = ($1 | with_entries(.key |= \"org.rtrun.\" + .))"; }
# family: QEMU's cards as a family of their own
family() {
    mkdir -p /etc/rtrun
    printf '[family.edu]\nabout = "QEMU edu"\npci = ["1234:11e8"]\nexclusive = "it has one factorial at a time"\n' >/etc/rtrun/devices.toml
    [ -n "$(card 2)" ] || skip "no two edu cards: lab --device edu --device edu"
}

test_card_without_driver_by_annotation() {
    family
    local first
    first=$(card 1)
    [ ! -e "/sys/bus/pci/devices/$first/driver" ] || echo "$first" >"/sys/bus/pci/devices/$first/driver/unbind"
    printf '' >"/sys/bus/pci/devices/$first/driver_override"
    echo 0 >"/sys/bus/pci/devices/$first/enable" 2>/dev/null || true
    setpci -s "$first" COMMAND=0000 2>/dev/null || skip "no setpci here"
    local read='import mmap, os; f = os.open("/dev/rtrun/edu/0/resource0", os.O_RDWR); m = memoryview(mmap.mmap(f, 4096)).cast("I"); m[1] = 255; print("%08x %08x" % (m[0], m[1]))'
    python_bundle registers ".process.args = [\"python3\", \"-c\", $(jq -n --arg text "$read" '$text')]"
    asks '{devices: "edu:0"}'
    exits 1 run registers 2>"$work/refusal"
    contains "decoding is off" "echo 1 > /sys/bus/pci/devices/$first/enable" "$(cat "$work/refusal")"
    setpci -s "$first" COMMAND=0002
    equal "identification and inversion" "010000ed ffffff00" "$(run registers)"
    asks '{devices: "edu:0+shared"}'
    exits 1 run registers 2>"$work/refusal"
    contains "shared registers" "one factorial at a time" "$(cat "$work/refusal")"
}

test_uio_card_by_annotation_and_its_interrupt_on_the_own_cpu() {
    family
    local first
    first=$(card 1)
    bind "$first" uio_pci_generic
    there() { [ -c /dev/uio0 ]; }
    eventually 10 there
    python_bundle uio ".process.args = [\"sh\", \"-c\", \"sleep 5; python3 $work/uio.py /dev/uio0 /dev/rtrun/edu/0\"]"
    asks '{devices: "edu:0", "irq.devices": "edu:0", cpus: "3"}'
    background uio
    equal "leased by" uio "$(rt devices --format json | jq -r '.[0].leases[0].container')"
    equal access uio "$(rt devices --format json | jq -r '.[0].access')"
    equal "CPU of its interrupt" 3 "$(cat "/proc/irq/$(cat "/sys/bus/pci/devices/$first/irq")/smp_affinity_list")"
    exits 1 run second 2>"$work/refusal"
    contains "second container" "held exclusively by container" "$(cat "$work/refusal")"
    ended() { status_is uio stopped; }
    eventually 40 ended
    equal "what the container got" "interrupts: 1" "$(cat "$work/uio.out")"
}

test_vfio_card_by_annotation() {
    family
    local second group
    second=$(card 2)
    bind "$second" vfio-pci
    group=$(basename "$(readlink "/sys/bus/pci/devices/$second/iommu_group")")
    python_bundle vfio ".process.args = [\"python3\", \"$work/vfio.py\", \"$group\", \"$second\"]"
    asks '{devices: "edu:1"}'
    equal "what the container reads of the card" "vendor 1234 device 11e8 identification 010000ed inverted ffffff00" "$(run vfio)"
}
