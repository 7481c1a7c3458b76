# shellcheck shell=bash disable=SC2154
# Interrupts under PREEMPT_RT, where each has a thread; and those that the kernel places itself (virtio-blk's queues).

masks() { grep . /proc/irq/default_smp_affinity /proc/irq/*/smp_affinity_list; }
# thread_priorities IRQ…: of the threads that serve them, each once
thread_priorities() {
    local irq
    for irq in "$@"; do ps -eo rtprio=,comm= | awk -v name="irq/$irq-" 'index($2, name) == 1 { print $1 }'; done | sort -u | xargs
}
# first_device: a PCI function with interrupts that can be moved
first_device() {
    local vectors vector
    for vectors in /sys/bus/pci/devices/*/msi_irqs; do
        vector=$(find "$vectors" -type f -printf '%f\n' | sort -n | tail -n 1)
        cat "/proc/irq/$vector/smp_affinity_list" 2>/dev/null >"/proc/irq/$vector/smp_affinity_list" || continue
        basename "$(dirname "$vectors")"
        return
    done
}

test_a_devices_interrupts_and_their_threads_come_to_the_container() {
    local device before irq irqs
    device=$(first_device)
    [ -n "$device" ] || skip "no PCI function has interrupts that can be moved"
    mapfile -t irqs < <(find "/sys/bus/pci/devices/$device/msi_irqs" -type f -printf '%f\n')
    before=$(masks)
    equal "threads before" 50 "$(thread_priorities "${irqs[@]}")"
    bundle irqs '.process.args = ["sleep", "1000"]' ".annotations = {
        \"org.rtrun.cpus\": \"3\", \"org.rtrun.sched.policy\": \"FIFO\", \"org.rtrun.sched.priority\": \"70\",
        \"org.rtrun.irq.affinity\": \"housekeeping\", \"org.rtrun.irq.devices\": \"$device\" }"
    background irqs
    for irq in "${irqs[@]}"; do equal "IRQ $irq" 3 "$(cat "/proc/irq/$irq/smp_affinity_list")"; done
    equal "threads, one above the container" 71 "$(thread_priorities "${irqs[@]}")"
    rt delete --force irqs
    equal "masks afterwards" "$before" "$(masks)"
    equal "threads afterwards" 50 "$(thread_priorities "${irqs[@]}")"
}

test_an_interrupt_that_the_kernel_places_stays_and_is_named() {
    local irq managed=''
    for irq in /proc/irq/[0-9]*; do
        [ "$(cat "$irq/smp_affinity_list")" = 3 ] || continue
        echo 0 2>/dev/null >"$irq/smp_affinity_list" || managed=$(basename "$irq")
    done
    [ -n "$managed" ] || skip "no interrupt is bound to CPU 3 here"
    bundle irqs '.process.args = ["sleep", "1000"]' \
        '.annotations = {"org.rtrun.cpus": "3", "org.rtrun.irq.affinity": "housekeeping"}'
    background irqs
    contains inspect "the kernel lets nobody move it" "$(rt inspect irqs | grep "IRQ $managed ")"
    equal "IRQ $managed" 3 "$(cat "/proc/irq/$managed/smp_affinity_list")"
}
