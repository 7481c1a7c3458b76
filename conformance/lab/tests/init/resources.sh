# shellcheck shell=bash disable=SC2154
# Limits on a pure v2 tree, read back from the kernel.

test_v2_limits() {
    bundle limits '.process.args = ["sleep", "1000"]' '.linux.cgroupsPath = "/lab-limits"' '.linux.resources += {
        "memory": {"limit": 67108864, "reservation": 33554432, "swap": 67108864},
        "cpu": {"quota": 25000, "period": 50000, "shares": 1024, "cpus": "2-3", "mems": "0"},
        "pids": {"limit": 20}}'
    background limits
    local file
    for file in "memory.max 67108864" "memory.low 33554432" "memory.swap.max 0" "cpu.max 25000 50000" "cpu.weight 100" \
        "cpuset.cpus 2-3" "cpuset.mems 0" "pids.max 20"; do
        equal "${file%% *}" "${file#* }" "$(cat "/sys/fs/cgroup/lab-limits/${file%% *}")"
    done
    equal affinity 2-3 "$(status_field "$pid" Cpus_allowed_list)"
    rt update --memory 134217728 --memory-swap 134217728 --cpu-period 100000 limits
    equal "updated memory" 134217728 "$(cat /sys/fs/cgroup/lab-limits/memory.max)"
    equal "updated period" "25000 100000" "$(cat /sys/fs/cgroup/lab-limits/cpu.max)"
    rt delete --force limits
    [ ! -e /sys/fs/cgroup/lab-limits ]
}

test_unified() {
    bundle unified '.process.args = ["sleep", "1000"]' '.linux.resources.unified = {"memory.high": "50000000", "cpu.weight.nice": "-5", "pids.max": "30"}'
    background unified
    local cgroup
    cgroup=$(cgroup_of "$pid")
    equal memory.high 49999872 "$(cat "$cgroup/memory.high")"
    equal cpu.weight.nice -5 "$(cat "$cgroup/cpu.weight.nice")"
    equal pids.max 30 "$(cat "$cgroup/pids.max")"
    bundle bad '.linux.resources.unified = {"memory.hihg": "1"}'
    exits 1 run bad >"$work/refusal" 2>&1
    contains refusal memory.hihg "$(cat "$work/refusal")"
}

test_device_rules_are_kept_by_ebpf() {
    bundle devices '.process.capabilities.bounding += ["CAP_MKNOD"] | .process.capabilities.effective += ["CAP_MKNOD"] | .process.capabilities.permitted += ["CAP_MKNOD"]' \
        '.root.readonly = false'
    # /dev/fuse (10:229) is not among the devices that every container gets, /dev/null is
    script 'echo x >/dev/null || echo "no null"; mknod /dev/fuse c 10 229; head -c 0 /dev/fuse 2>&1 | grep -o "not permitted"'
    equal "without a rule" "not permitted" "$(run devices)"
    edit '.linux.resources.devices += [{"allow": true, "type": "c", "major": 10, "minor": 229, "access": "mr"}]'
    script 'mknod /dev/fuse c 10 229; echo "mknod $?"; head -c 0 /dev/fuse && echo "read"; (echo x >/dev/fuse) 2>/dev/null || echo "no write"'
    equal "with a rule" "mknod 0 read no write" "$(run devices | xargs)"
}

test_pause_is_the_v2_freezer() {
    bundle frozen
    script 'while :; do date +%s%N >/dev/shm/now; done'
    background frozen
    local cgroup
    cgroup=$(cgroup_of "$pid")
    rt pause frozen
    equal frozen 1 "$(sed -n 's/^frozen //p' "$cgroup/cgroup.events")"
    equal status paused "$(rt state frozen | jq -r .status)"
    rt resume frozen
    equal thawed 0 "$(sed -n 's/^frozen //p' "$cgroup/cgroup.events")"
}

test_stats() {
    bundle stats '.linux.resources.memory.limit = 67108864'
    script 'i=0; while [ $i -lt 20000 ]; do i=$((i+1)); done; sleep 1000'
    background stats
    used() { [ "$(rt events --stats stats | jq .data.cpu.usage.total)" -gt 1000000 ]; }
    eventually 30 used
    rt events --stats stats >"$work/stats.json"
    equal limit 67108864 "$(jq .data.memory.usage.limit "$work/stats.json")"
    [ "$(jq .data.memory.usage.usage "$work/stats.json")" -gt 0 ]
    [ "$(jq .data.pids.current "$work/stats.json")" -ge 1 ]
}

test_out_of_memory() {
    bundle oom '.linux.resources.memory = {"limit": 16777216, "swap": 16777216}' '.process.args = ["tail", "/dev/zero"]'
    exits 137 run oom
    bundle oom2 '.linux.resources.memory = {"limit": 16777216, "swap": 16777216}'
    script 'tail /dev/zero; sleep 1000'
    background oom2
    killed() { grep -q '^oom_kill [1-9]' "$(cgroup_of "$pid")/memory.events"; }
    eventually 30 killed
    status_is oom2 running
}
