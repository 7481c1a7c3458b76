# shellcheck shell=bash disable=SC2154
# Policies by process.scheduler, on an isolated CPU.

# policy_of PID: as chrt names it, with the priority
policy_of() { chrt -p "$1" | sed -n 's/.*\(policy\|priority\): //p' | xargs; }

test_fifo_on_an_isolated_cpu() {
    bundle fifo '.process.args = ["sleep", "1000"]' '.process.scheduler = {"policy": "SCHED_FIFO", "priority": 42}' '.linux.resources.cpu = {"cpus": "3", "mems": "0"}'
    background fifo
    equal policy "SCHED_FIFO 42" "$(policy_of "$pid")"
    equal affinity 3 "$(status_field "$pid" Cpus_allowed_list)"
}

test_rr() {
    bundle rr '.process.args = ["sleep", "1000"]' '.process.scheduler = {"policy": "SCHED_RR", "priority": 7, "flags": ["SCHED_FLAG_RESET_ON_FORK"]}'
    background rr
    contains policy SCHED_RR "$(policy_of "$pid")"
    contains priority 7 "$(policy_of "$pid")"
}

test_deadline() {
    bundle deadline '.process.args = ["sleep", "1000"]' '.process.scheduler = {"policy": "SCHED_DEADLINE", "runtime": 2000000, "deadline": 10000000, "period": 10000000}'
    background deadline
    contains policy SCHED_DEADLINE "$(policy_of "$pid")"
    contains parameters "2000000/10000000/10000000" "$(chrt -p "$pid")"
}

test_exec_has_its_own_policy() {
    bundle plain '.process.args = ["sleep", "1000"]'
    background plain
    jq '.process | .args = ["sleep", "999"] | .scheduler = {"policy": "SCHED_FIFO", "priority": 5}' "$bundle/config.json" >"$work/process.json"
    rt exec --detach --pid-file "$work/exec.pid" --process "$work/process.json" plain
    equal exec "SCHED_FIFO 5" "$(policy_of "$(cat "$work/exec.pid")")"
    contains init SCHED_OTHER "$(policy_of "$pid")"
}
