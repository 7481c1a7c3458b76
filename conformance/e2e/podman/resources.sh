# shellcheck shell=bash
# cgroup values as asked for with podman's flags, read back from the kernel.

test_memory() {
    background a --memory 64m --memory-reservation 32m
    equal limit 67108864 "$(cgroup_value "$(pid_of a)" memory memory.limit_in_bytes memory.max)"
    equal reservation 33554432 "$(cgroup_value "$(pid_of a)" memory memory.soft_limit_in_bytes memory.low)"
}

test_cpus_and_shares() {
    background a --cpus 0.5 --cpu-shares 512
    local pid
    pid=$(pid_of a)
    if cgroup_v2; then
        equal quota "50000 100000" "$(cgroup_value "$pid" cpu - cpu.max)"
        # linear in the shares, or as crun 1.23 and runc 1.4 convert them, so that 1024 shares are the default weight
        [[ $(cgroup_value "$pid" cpu - cpu.weight) =~ ^(20|59)$ ]]
    else
        equal shares 512 "$(cgroup_value "$pid" cpu cpu.shares -)"
        [ -e /sys/fs/cgroup/cpu/cpu.cfs_quota_us ] || [ -e /sys/fs/cgroup/cpu/libpod_parent/cpu.cfs_quota_us ] || skip "this kernel has no CFS quota"
        equal quota 50000 "$(cgroup_value "$pid" cpu cpu.cfs_quota_us -)"
        equal period 100000 "$(cgroup_value "$pid" cpu cpu.cfs_period_us -)"
    fi
}

test_cpuset() {
    background a --cpuset-cpus 0 --cpuset-mems 0
    equal cpus 0 "$(cgroup_value "$(pid_of a)" cpuset cpuset.cpus cpuset.cpus)"
    equal affinity 0 "$(status_field "$(pid_of a)" Cpus_allowed_list)"
}

test_pids_limit() {
    background a --pids-limit 33
    equal limit 33 "$(cgroup_value "$(pid_of a)" pids pids.max pids.max)"
    local output
    output=$(run --pids-limit 4 $image sh -c 'for i in 1 2 3 4 5 6; do sleep 1 & done; wait' 2>&1 || true)
    contains fork "can't fork" "$output"
}

test_out_of_memory_kills() {
    exits 137 run --memory 16m --memory-swap 16m $image tail /dev/zero
}

# the budget must reach the container's own group through podman's parents, or the kernel refuses the policy
test_real_time_budget() {
    [ -e /sys/fs/cgroup/cpu/cpu.rt_runtime_us ] || skip "no cgroup v1 cpu controller with RT_GROUP_SCHED"
    if ! background a --cpu-rt-period 1000000 --cpu-rt-runtime 50000 2>"$work/refusal"; then
        [ "$runtime_name" = rtrun ] || skip "$runtime_name does not raise the parents: $(tail -n 1 "$work/refusal")"
        cat "$work/refusal"
        return 1
    fi
    equal budget 50000 "$(cgroup_value "$(pid_of a)" cpu cpu.rt_runtime_us -)"
    chrt --fifo --pid 20 "$(pid_of a)"
    contains policy SCHED_FIFO "$(chrt --pid "$(pid_of a)")"
}

test_own_cgroup_parent() {
    background a --cgroup-parent /e2e-parent
    contains cgroup /e2e-parent/ "$(cat "/proc/$(pid_of a)/cgroup")"
    podman rm --force --time 0 a >/dev/null
    find /sys/fs/cgroup -depth -type d -path '*/e2e-parent*' -exec rmdir {} + 2>/dev/null || true
}

test_no_cgroups() {
    [ "$runtime_name" != runc ] || skip "runc has no --cgroup-manager disabled"
    podman run --detach --network none --name a --cgroups disabled $image pause >/dev/null
    equal cgroup "$(cat /proc/self/cgroup)" "$(cat "/proc/$(pid_of a)/cgroup")"
}

test_cgroup_namespace() {
    equal private "/" "$(run --cgroupns private $image sed -n 's/^.*:pids:\|^0:://p' /proc/self/cgroup | sort -u | head -n 1)"
    contains host libpod "$(run --cgroupns host $image cat /proc/self/cgroup)"
}

test_cgroup_file_system_inside() {
    contains mounted cgroup "$(run $image grep /sys/fs/cgroup /proc/mounts)"
    exits 1 run $image mkdir /sys/fs/cgroup/pids/x /sys/fs/cgroup/x 2>/dev/null
}

test_update() {
    podman update --help 2>/dev/null | grep -q -- --memory || skip "this podman has no update ($(podman --version))"
    background a --memory 64m
    podman update --memory 96m --cpu-shares 256 a >/dev/null
    equal memory 100663296 "$(cgroup_value "$(pid_of a)" memory memory.limit_in_bytes memory.max)"
    cgroup_v2 || equal shares 256 "$(cgroup_value "$(pid_of a)" cpu cpu.shares -)"
}

test_no_cgroup_is_left() {
    background a
    local id
    id=$(podman inspect --format '{{.Id}}' a)
    [ -n "$(find /sys/fs/cgroup -name "*$id*" -print -quit)" ]
    podman rm --force --time 0 a >/dev/null
    equal left "" "$(find /sys/fs/cgroup -name "libpod-$id*" -print -quit)"
}
