# shellcheck shell=bash disable=SC2154
# The org.rtrun annotations under podman: what it passes with --annotation reaches the kernel below podman's own cgroup, and goes back.

needs_annotations() { "$RUNTIME" annotations >/dev/null 2>&1 || skip "this runtime has no org.rtrun annotations"; }
# inspect NAME FILTER: of what the runtime says it did
inspect() { "$RUNTIME" inspect --format json "$(podman inspect --format '{{.Id}}' "$1")" | jq -r "$2"; }

test_realtime_policy_and_cpus() {
    needs_annotations
    background a --annotation org.rtrun.sched.policy=FIFO --annotation org.rtrun.sched.priority=60 --annotation org.rtrun.cpus=0 \
        --annotation org.rtrun.sched.runtime=20ms --annotation org.rtrun.sched.period=1s
    local pid
    pid=$(pid_of a)
    contains policy SCHED_FIFO "$(chrt -p "$pid")"
    contains priority 60 "$(chrt -p "$pid")"
    equal cpus 0 "$(status_field "$pid" Cpus_allowed_list)"
    equal verified true "$(inspect a .holds)"
}

test_realtime_budget_goes_back_to_podmans_parent() {
    needs_annotations
    [ -e /sys/fs/cgroup/cpu/cpu.rt_runtime_us ] || skip "this kernel gives no real-time budget to cgroups"
    background plain
    local parent before
    parent=/sys/fs/cgroup/cpu$(dirname "$(awk -F: '$2 ~ "(^|,)cpu(,|$)" { print $3 }' "/proc/$(pid_of plain)/cgroup")")
    before=$(cat "$parent/cpu.rt_runtime_us")
    background a --annotation org.rtrun.sched.policy=RR --annotation org.rtrun.sched.runtime=15ms
    equal "container's" 15000 "$(cgroup_value "$(pid_of a)" cpu cpu.rt_runtime_us -)"
    [ "$(cat "$parent/cpu.rt_runtime_us")" -ge 15000 ]
    podman rm --force --time 0 a
    equal "parent's" "$before" "$(cat "$parent/cpu.rt_runtime_us")"
}

test_realtime_exclusive_cpus_are_refused_to_a_second() {
    needs_annotations
    background a --annotation org.rtrun.cpus=0 --annotation org.rtrun.cpus.exclusive=true
    ! background b --annotation org.rtrun.cpus=0 2>"$work/error" || return 1
    contains message "held exclusively by container" "$(cat "$work/error")"
    podman rm --force --time 0 a b
    background b --annotation org.rtrun.cpus=0
}

test_realtime_misspelt_annotation_is_refused() {
    needs_annotations
    ! background a --annotation org.rtrun.sched.polcy=FIFO 2>"$work/error" || return 1
    contains message 'did you mean "org.rtrun.sched.policy"' "$(tr -d '\\' <"$work/error")"
    equal containers "" "$(runtime_containers)"
}

test_realtime_exec_keeps_to_time_sharing() {
    needs_annotations
    background a --annotation org.rtrun.sched.policy=FIFO --annotation org.rtrun.sched.runtime=20ms
    equal policy 0 "$(podman exec a sh -c 'set -- $(cat /proc/self/stat); shift 40; echo $1')"
}
