# shellcheck shell=bash disable=SC2154
# A container's life under docker.

test_run_prints_and_uses_this_runtime() {
    equal output hello "$(run $image echo hello)"
    background one
    equal runtime "$runtime_name-e2e" "$(docker inspect --format '{{.HostConfig.Runtime}}' one)"
    equal "pid in the runtime's state" "$(pid_of one)" \
        "$("$RUNTIME" --root "/run/docker/runtime-$runtime_name-e2e/moby" state "$(docker inspect --format '{{.Id}}' one)" 2>/dev/null | jq .pid \
            || "$RUNTIME" --root /run/docker/runtime-runc/moby state "$(docker inspect --format '{{.Id}}' one)" | jq .pid)"
}

test_exit_codes() {
    exits 0 run $image true
    exits 7 run $image sh -c 'exit 7'
    exits 126 run $image /etc 2>/dev/null
    exits 127 run $image no-such-program 2>/dev/null
    exits 137 run --pid host $image sh -c 'kill -KILL $$'
    equal left "" "$(docker ps --all --quiet)"
}

test_standard_input_and_terminal() {
    equal stdin x "$(echo x | run -i $image cat)"
    contains tty /dev/pts/0 "$(in_terminal "docker run --rm --network none -it $image tty")"
}

test_exec() {
    background one
    equal output hi "$(docker exec one echo hi)"
    equal user "1000 /tmp" "$(docker exec --user user --workdir /tmp one sh -c 'echo $(id -u) $(pwd)')"
    exits 5 docker exec one sh -c 'exit 5'
    contains message "executable file not found" "$(docker exec one no-such-program 2>&1 || true)"
    contains tty /dev/pts/ "$(in_terminal "docker exec -it one tty")"
}

test_stop_and_kill() {
    background one
    docker stop --time 10 one >/dev/null
    equal "exit code" 0 "$(docker inspect --format '{{.State.ExitCode}}' one)"
    background two
    docker kill two >/dev/null
    equal "exit code" 137 "$(docker wait two)"
}

test_logs_and_top() {
    docker run --detach --network none --name one $image sh -c 'echo one; echo two >&2; exec pause' >/dev/null
    logged() { [ "$(docker logs one 2>&1 | sort | xargs)" = "one two" ]; }
    eventually 5 logged
    contains top pause "$(docker top one)"
}

test_pause_and_unpause() {
    background one
    docker pause one >/dev/null
    equal status paused "$(status_of one)"
    docker unpause one >/dev/null
    equal status running "$(status_of one)"
    equal output hi "$(docker exec one echo hi)"
}

# the probe is docker's own runc: where that has no figures either, they are docker's to find
test_stats() {
    docker run --runtime runc --detach --network none --name probe --memory 64m $image pause >/dev/null
    memory_of() { docker stats --no-stream --format '{{.MemUsage}}' "$1"; }
    [[ $(memory_of probe) == *64MiB* ]] || skip "docker has no figures of a container of its own runc either: $(memory_of probe)"
    background one --memory 64m
    contains stats 64MiB "$(memory_of one)"
}

test_limits_and_update() {
    background one --memory 64m --pids-limit 33 --cpu-shares 512
    equal memory 67108864 "$(cgroup_value "$(pid_of one)" memory memory.limit_in_bytes memory.max)"
    equal pids 33 "$(cgroup_value "$(pid_of one)" pids pids.max pids.max)"
    docker update --memory 96m --memory-swap 96m one >/dev/null
    equal "updated memory" 100663296 "$(cgroup_value "$(pid_of one)" memory memory.limit_in_bytes memory.max)"
}

test_security() {
    equal "no new privileges" 1 "$(run --security-opt no-new-privileges $image sed -n 's/^NoNewPrivs:\t//p' /proc/self/status)"
    equal seccomp 2 "$(run $image sed -n 's/^Seccomp:\t//p' /proc/self/status)"
    equal unconfined 0 "$(run --security-opt seccomp=unconfined $image sed -n 's/^Seccomp:\t//p' /proc/self/status)"
    equal "no capability" 0000000000000000 "$(run --cap-drop ALL $image sed -n 's/^CapEff:\t//p' /proc/self/status)"
    exits 1 run --read-only $image touch /file 2>/dev/null
}

test_privileged() {
    (((0x$(status_field self CapEff) >> 24) & 1)) || skip "this machine has no CAP_SYS_RESOURCE to give, which docker asks for"
    run --privileged $image mount -t tmpfs tmpfs /tmp
}

test_volumes_and_tmpfs() {
    mkdir -p "$work/volume"
    echo host >"$work/volume/file"
    equal read host "$(run -v "$work/volume:/v:ro" $image cat /v/file)"
    exits 1 run -v "$work/volume:/v:ro" $image touch /v/new 2>/dev/null
    contains tmpfs "size=1024k" "$(run --tmpfs /scratch:size=1m $image grep ' /scratch ' /proc/mounts)"
}

test_network_bridge() {
    docker network inspect bridge >/dev/null 2>&1 || skip "dockerd could not make its bridge here"
    contains address 172. "$(docker run --rm $image ip -4 addr show eth0)"
}

test_init() {
    contains "first process" init "$(run --init $image cat /proc/1/comm 2>&1)"
}
