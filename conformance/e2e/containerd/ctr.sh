# shellcheck shell=bash disable=SC2154
# A task's life as containerd's own client drives it.

test_run_prints_and_removes() {
    equal output hello "$(run --rm a echo hello)"
    equal tasks "" "$(ctr task ls -q)"
}

test_this_runtime_is_used() {
    background a
    equal "pid in the runtime's state" "$(pid_of a)" "$("$RUNTIME" --root /run/containerd/runc/e2e state a | jq .pid)"
}

test_exit_codes() {
    exits 0 run --rm a true
    exits 7 run --rm a sh -c 'exit 7'
    exits 1 run --rm a no-such-program 2>"$work/error"
    contains message "no-such-program" "$(cat "$work/error")"
    contains message "executable file not found in" "$(cat "$work/error")"
    equal tasks "" "$(ctr task ls -q)"
}

test_run_in_a_terminal() {
    contains tty /dev/pts/0 "$(in_terminal "ctr --address $socket --namespace e2e run --runc-binary $RUNTIME --rm -t $image a tty")"
}

test_exec() {
    background a
    equal output hi "$(ctr task exec --exec-id x a echo hi)"
    exits 5 ctr task exec --exec-id y a sh -c 'exit 5'
    equal directory /tmp "$(ctr task exec --exec-id z --cwd /tmp a pwd)"
    equal user 1000 "$(ctr task exec --exec-id u --user 1000 a id -u)"
    exits 1 ctr task exec --exec-id n a no-such-program 2>/dev/null
    equal "still runs" RUNNING "$(status_of a)"
}

test_exec_in_a_terminal() {
    background a
    contains tty /dev/pts/ "$(in_terminal "ctr --address $socket --namespace e2e task exec -t --exec-id x a tty")"
}

test_kill_and_delete() {
    background a
    ctr task kill --signal TERM a
    eventually 5 has_status a STOPPED
    ctr task delete a
    equal task "" "$(status_of a)"
    background b 2>"$work/error" || cat "$work/error"
    ctr task kill --signal KILL b
    eventually 5 has_status b STOPPED
    contains "exit code" 137 "$(ctr task delete b 2>&1)"
}

test_kill_of_a_stopped_task_is_understood() {
    background a
    ctr task kill --signal KILL a
    eventually 5 has_status a STOPPED
    local message
    message=$(ctr task kill a 2>&1 || true)
    contains message "not found" "$message"
}

test_pause_and_resume() {
    background a
    ctr task pause a
    equal status PAUSED "$(status_of a)"
    ctr task resume a
    equal status RUNNING "$(status_of a)"
    equal output hi "$(ctr task exec --exec-id x a echo hi)"
}

test_ps_and_metrics() {
    background --memory-limit 67108864 a
    contains ps "$(pid_of a)" "$(ctr task ps a)"
    contains metrics pids "$(ctr task metrics a)"
    contains metrics memory "$(ctr task metrics a)"
}

test_limits_reach_the_kernel() {
    run --detach --null-io --memory-limit 67108864 --cgroup /e2e/limits a /bin/pause
    equal memory 67108864 "$(cgroup_value "$(pid_of a)" memory memory.limit_in_bytes memory.max)"
    contains cgroup /e2e/limits "$(cat "/proc/$(pid_of a)/cgroup")"
}

test_security_flags() {
    exits 1 run --rm --read-only a touch /file 2>/dev/null
    local drop=() capability
    # every capability that containerd gives by default
    for capability in CHOWN DAC_OVERRIDE FSETID FOWNER MKNOD NET_RAW SETGID SETUID SETFCAP SETPCAP NET_BIND_SERVICE SYS_CHROOT KILL AUDIT_WRITE; do
        drop+=(--cap-drop "CAP_$capability")
    done
    equal "no capability" 0000000000000000 "$(run --rm "${drop[@]}" a sed -n 's/^CapEff:\t//p' /proc/self/status)"
    equal seccomp 2 "$(run --rm --seccomp=true a sed -n 's/^Seccomp:\t//p' /proc/self/status)"
    run --rm --privileged a sh -c 'mount -t tmpfs tmpfs /tmp'
}

test_mounts_and_environment() {
    mkdir -p "$work/volume"
    echo host >"$work/volume/file"
    equal read host "$(run --rm --mount "type=bind,src=$work/volume,dst=/v,options=rbind:ro" a cat /v/file)"
    exits 1 run --rm --mount "type=bind,src=$work/volume,dst=/v,options=rbind:ro" a touch /v/new 2>/dev/null
    equal environment value "$(run --rm --env KEY=value a sh -c 'echo $KEY')"
    equal "host network" "$(readlink /proc/self/ns/net)" "$(run --rm --net-host a readlink /proc/self/ns/net)"
}

test_user_namespace() {
    equal map "0 300000 1000" "$(run --rm --uidmap 0:300000:1000 --gidmap 0:300000:1000 --remap-labels=true a cat /proc/self/uid_map 2>"$work/error" | xargs)" \
        || { grep -q -i "flag\|snapshotter\|remap" "$work/error" && skip "$(tail -n 1 "$work/error")"; return 1; }
}

test_ten_at_once() {
    local number pids=()
    for number in $(seq 10); do
        run --rm "many-$number" echo "$number" >"$work/many-$number" &
        pids+=($!)
    done
    for number in "${pids[@]}"; do wait "$number"; done
    for number in $(seq 10); do equal "output $number" "$number" "$(cat "$work/many-$number")"; done
}

test_checkpoint_works_or_is_refused_by_name() {
    criu check >"$work/criu" 2>&1 && run --detach --null-io a /bin/pause && ctr task checkpoint --image-path "$work/image" a && return
    background b
    local message
    message=$(ctr task checkpoint --image-path "$work/image" b 2>&1 || true)
    [ -n "$message" ]
    equal "still runs" RUNNING "$(status_of b)"
    skip "criu check: $(tail -n 1 "$work/criu")"
}

test_nothing_is_left() {
    background a
    ctr task kill --signal KILL a
    eventually 5 has_status a STOPPED
    ctr task delete a || true
    equal "the runtime's list" "" "$("$RUNTIME" --root /run/containerd/runc/e2e list -q)"
    equal cgroups "" "$(find /sys/fs/cgroup -path '*/e2e/a' -print -quit)"
}
