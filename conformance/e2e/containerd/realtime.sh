# shellcheck shell=bash disable=SC2154
# The org.rtrun annotations through containerd: by ctr, and from a pod through pod_annotations and container_annotations.

needs_annotations() { "$RUNTIME" annotations >/dev/null 2>&1 || skip "this runtime has no org.rtrun annotations"; }

test_realtime_by_ctr() {
    needs_annotations
    background --annotation org.rtrun.sched.policy=FIFO --annotation org.rtrun.sched.runtime=10ms --annotation org.rtrun.cpus=0 a
    local pid
    pid=$(pid_of a)
    contains policy SCHED_FIFO "$(chrt -p "$pid")"
    equal cpus 0 "$(status_field "$pid" Cpus_allowed_list)"
}

test_cri_realtime_from_the_pod_and_the_container() {
    needs_annotations
    cri_or_skip
    local pod id sandbox
    pod=$(pod rt 2 "$(annotations org.rtrun.sched.policy=FIFO org.rtrun.sched.runtime=10ms org.rtrun.sched.priority/main=61)")
    sandbox=$("$RUNTIME" --root /run/containerd/runc/k8s.io state "$pod" | jq .pid)
    contains "the sandbox's policy" SCHED_OTHER "$(chrt -p "$sandbox")"
    id=$(container "$pod" rt main "$(annotations org.rtrun.cpus=0)")
    on StartContainer "$id" >/dev/null
    eventually 5 state_is "$id" 1
    local pid
    pid=$("$RUNTIME" --root /run/containerd/runc/k8s.io state "$id" | jq .pid)
    contains policy SCHED_FIFO "$(chrt -p "$pid")"
    contains "priority of this container alone" 61 "$(chrt -p "$pid")"
    equal cpus 0 "$(status_field "$pid" Cpus_allowed_list)"
    equal verified true "$("$RUNTIME" --root /run/containerd/runc/k8s.io inspect --format json "$id" | jq .holds)"
    cri
}

# annotations KEY=VALUE…: the part of a configuration that has them
annotations() { printf '%s\n' "$@" | jq -R 'capture("(?<key>[^=]*)=(?<value>.*)")' | jq -s '{ annotations: . }'; }
