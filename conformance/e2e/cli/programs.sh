# shellcheck shell=bash disable=SC2154
# Programs: static and dynamic, their words, variables, limits and ends.

test_a_static_program_gets_its_params() {
    local out
    out=$(cli --app ./tell-static --params "board=4x4 region=1")
    contains words "arg /app/tell-static"$'\n'"arg board=4x4"$'\n'"arg region=1" "$out"
    contains variables "env RTRUN_PARAM_BOARD=4x4" "$out"
}

test_a_dynamic_program_brings_its_libraries() {
    contains words "arg /app/tell"$'\n'"arg 0" "$(cli --app ./tell --params 0)"
}

test_quotes_keep_words_together() {
    contains words "arg a b" "$(cli --app ./tell --params "0 'a b'")"
    exits 1 cli --app ./tell --params "0 'a b" 2>&1 | grep -q "a quote is not closed"
}

test_the_exit_code_is_the_programs() {
    exits 7 cli --app ./tell --params 7
}

test_the_line_of_the_readme_runs_where_its_cpus_are_and_is_refused_by_name_elsewhere() {
    local out
    if [ -d /sys/devices/system/cpu/cpu3 ]; then
        out=$(cli --cpus 2,3 --mem 256m --sched SCHED_FIFO --app ./tell --params "board=4x4 region=1")
        contains words "arg region=1" "$out"
    else
        out=$(exits 1 cli --cpus 2,3 --mem 256m --sched SCHED_FIFO --app ./tell --params "board=4x4 region=1" 2>&1)
        contains refusal "this machine has CPUs $(cat /sys/devices/system/cpu/online); --cpus auto picks" "$out"
    fi
}

test_limits_and_cpus_are_the_kernels() {
    local name pid
    name=$(cli -d --cpus auto --mem 64m --app ./tell-static --params wait)
    eventually 5 running "$name"
    pid=$("$RUNTIME" state "$name" | jq .pid)
    equal CPU "$last_cpu" "$(status_field "$pid" Cpus_allowed_list)"
    equal memory $((64 << 20)) "$(cgroup_value "$pid" memory memory.limit_in_bytes memory.max)"
    contains refusal "belong to other agents" "$(cli --cpus "auto:$(nproc)" --app ./tell 2>&1)"
}

running() { "$RUNTIME" state "$1" 2>/dev/null | jq -e '.status == "running"' >/dev/null; }

test_a_real_time_policy_is_set_and_can_be_read() {
    local name pid
    name=$(cli -d --cpus auto --sched SCHED_FIFO --prio 30 --app ./tell-static --params wait)
    eventually 5 running "$name"
    pid=$("$RUNTIME" state "$name" | jq .pid)
    contains policy SCHED_FIFO "$(chrt -p "$pid")"
    contains priority "priority: 30" "$(chrt -p "$pid")"
}

test_logs_ps_stop_and_rm_of_a_detached_agent() {
    cli -d --name told --app ./tell-static --params wait
    eventually 5 grep -q "arg wait" <(cli logs -f told)
    contains status running "$(cli ps | grep told)"
    contains refusal "stop it first" "$(exits 1 cli rm told 2>&1)"
    cli stop told
    contains status "exit 3" "$(cli ps | grep told)"
    cli rm told
    contains refusal "no agent is named told" "$(exits 1 cli logs told 2>&1)"
}

test_a_taken_name_is_refused_and_a_derived_one_gets_a_number() {
    cli -d --name one --app ./tell-static --params wait
    contains refusal "named one is there already" "$(exits 1 cli --name one --app ./tell 2>&1)"
    equal first tell-static "$(cli -d --app ./tell-static --params wait)"
    equal second tell-static-2 "$(cli -d --app ./tell-static --params wait)"
}

test_restarts_are_counted_and_end() {
    cli -d --name again --restart on-failure:2 --app ./tell-static --params 9
    eventually 5 bash -c "'$CLI' ps | grep -q 'again .*exit 9'"
    equal restarts 2 "$(cli ps --json | jq '.[] | select(.name == "again").restarts')"
    equal starts 3 "$(cli logs again | grep -c 'arg 9')"
}

test_nothing_is_left_of_an_agent_in_the_foreground() {
    cli --app ./tell >/dev/null
    equal agents "[]" "$(cli ps --json)"
    equal containers "" "$(runtime_containers)"
}

test_refusals_name_what_is_wrong() {
    contains missing "ENOENT" "$(exits 1 cli --app ./nothing 2>&1)"
    contains kind "neither a program" "$(exits 1 cli --app ./tell.c 2>&1)"
    contains memory "this machine has" "$(exits 1 cli --app ./tell --mem 900g 2>&1)"
    contains priority "needs --sched" "$(exits 1 cli --app ./tell --prio 5 2>&1)"
    contains annotation 'did you mean "org.rtrun.cpus"' "$(exits 1 cli --app ./tell --annotation org.rtrun.cpu=1 2>&1)"
    contains policy SCHED_FIFO "$(exits 2 cli --app ./tell --sched SCHED_FIFFO 2>&1)"
    contains network "no such namespace" "$(exits 1 cli --app ./tell --net ns:blue 2>&1)"
    equal agents "[]" "$(cli ps --json)"
}

test_a_missing_library_is_named() {
    echo 'int gone(void) { return 0; }' >gone.c && gcc -shared -o libgone.so gone.c
    echo 'int gone(void); int main(void) { return gone(); }' >needs.c && gcc -o needs needs.c -L. -lgone -Wl,-rpath,'$ORIGIN'
    exits 0 cli --app ./needs
    mv libgone.so elsewhere.so
    contains refusal libgone.so "$(exits 1 cli --app ./needs 2>&1)"
}

test_a_foreign_architecture_is_named() {
    cp tell-static foreign && printf '\xf3\x00' | dd of=foreign bs=1 seek=18 conv=notrunc status=none
    contains refusal "is built for riscv" "$(exits 1 cli --app ./foreign 2>&1)"
}

test_a_bridge_joins_agents() {
    ip link add e2e-br0 type bridge && ip link set e2e-br0 up && ip address add 10.99.0.1/24 dev e2e-br0
    local name pid
    name=$(cli -d --net bridge:e2e-br0,10.99.0.2/24,10.99.0.1 --app ./tell-static --params wait)
    eventually 5 running "$name"
    pid=$("$RUNTIME" state "$name" | jq .pid)
    contains address "10.99.0.2/24" "$(nsenter -t "$pid" -n ip -o address show dev eth0)"
    contains route "default via 10.99.0.1" "$(nsenter -t "$pid" -n ip route)"
    cli rm --force "$name"
    equal namespaces "" "$(ip netns list)"
    ip link delete e2e-br0
}

test_a_bundle_that_is_written_runs_by_itself() {
    cli --app ./tell --params "0 x" --write-bundle "$work/bundle"
    contains words "arg x" "$("$RUNTIME" run --bundle "$work/bundle" written)"
    contains refusal "not empty" "$(exits 1 cli --app ./tell --write-bundle "$work/bundle" 2>&1)"
}
