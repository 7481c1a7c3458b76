# shellcheck shell=bash disable=SC2154
# The machine is what the lab promises.

test_the_kernel_is_preempt_rt() { contains kernel PREEMPT_RT "$(uname -v)"; }

test_cgroup_v2_alone_with_every_controller() {
    cgroup_v2
    equal "v1 hierarchies" "" "$(awk '$3 == "cgroup"' /proc/mounts)"
    local controller
    for controller in cpuset cpu io memory pids hugetlb; do
        contains controllers $controller "$(cat /sys/fs/cgroup/cgroup.controllers)"
    done
}

test_half_of_the_cpus_is_isolated() {
    equal isolated 2-3 "$(cat /sys/devices/system/cpu/isolated)"
    equal nohz_full 2-3 "$(cat /sys/devices/system/cpu/nohz_full)"
}

test_a_limit_can_be_raised() {
    bundle raised '.process.rlimits = [{"type": "RLIMIT_NOFILE", "soft": 2000000, "hard": 2000000}]' '.process.args = ["sh", "-c", "ulimit -n"]'
    # above the kernel's ceiling even CAP_SYS_RESOURCE is refused
    echo 2000000 >/proc/sys/fs/nr_open
    equal limit 2000000 "$(run raised)"
}

test_programs_and_modules_are_there() {
    local one
    for one in podman containerd ctr crun runc criu cyclictest chronyd stress-ng; do command -v $one >/dev/null || { echo "no $one"; return 1; }; done
    for one in /dev/cuse /dev/vfio/vfio /dev/fuse /dev/net/tun; do [ -c $one ] || { echo "no $one"; return 1; }; done
}
