# shellcheck shell=bash disable=SC2154
# The systemd cgroup manager: a container is a scope, its limits are properties that systemd knows.

property() { systemctl show --value --property "$2" "$1"; }

# managed NAME [JQ-FILTER…]: a container that waits, made with --systemd-cgroup
managed() {
    bundle "$1" ".linux.cgroupsPath = \"lab.slice:rtrun:$1\"" '.process.args = ["sleep", "1000"]' "${@:2}"
    rt --systemd-cgroup run --detach --bundle "$bundle" --pid-file "$work/$1.pid" "$1" </dev/null >"$work/$1.out" 2>&1 || { cat "$work/$1.out"; return 1; }
    pid=$(cat "$work/$1.pid")
}

test_scope_and_its_properties() {
    managed one '.linux.resources += {"memory": {"limit": 67108864}, "pids": {"limit": 20}, "cpu": {"quota": 25000, "period": 50000, "cpus": "2-3"}}'
    equal cgroup "0::/lab.slice/rtrun-one.scope" "$(cat "/proc/$pid/cgroup")"
    equal state active "$(property rtrun-one.scope ActiveState)"
    equal MemoryMax 67108864 "$(property rtrun-one.scope MemoryMax)"
    equal TasksMax 20 "$(property rtrun-one.scope TasksMax)"
    equal AllowedCPUs 2-3 "$(property rtrun-one.scope AllowedCPUs)"
    equal memory.max 67108864 "$(cat "$(cgroup_of "$pid")/memory.max")"
    equal cpu.max "25000 50000" "$(cat "$(cgroup_of "$pid")/cpu.max")"
    # what a reload applies again is what was asked for
    systemctl daemon-reload
    equal "memory.max after a reload" 67108864 "$(cat "$(cgroup_of "$pid")/memory.max")"
    rt --systemd-cgroup delete --force one
    gone() { [ "$(property rtrun-one.scope ActiveState)" = inactive ]; }
    eventually 10 gone
    [ ! -e /sys/fs/cgroup/lab.slice/rtrun-one.scope ]
}

test_update_reaches_systemd() {
    managed two '.linux.resources.memory = {"limit": 67108864}'
    rt --systemd-cgroup update --memory 134217728 two
    equal MemoryMax 134217728 "$(property rtrun-two.scope MemoryMax)"
    equal memory.max 134217728 "$(cat "$(cgroup_of "$pid")/memory.max")"
}

test_exec_and_pause_in_a_scope() {
    managed three
    equal exec "0::/lab.slice/rtrun-three.scope" "$(rt --systemd-cgroup exec three cat /proc/self/cgroup | sed 's|::/$|::/lab.slice/rtrun-three.scope|')"
    rt --systemd-cgroup pause three
    equal frozen 1 "$(sed -n 's/^frozen //p' "$(cgroup_of "$pid")/cgroup.events")"
    rt --systemd-cgroup resume three
    status_is three running
}

test_podman_with_systemd_cgroups() {
    podman_image
    equal output hello "$(podman --runtime "$RUNTIME" --cgroup-manager systemd run --rm --network none "$image" echo hello)"
    podman --runtime "$RUNTIME" --cgroup-manager systemd run --detach --name box --network none --memory 64m --cpus 0.5 "$image" sleep 1000 >/dev/null
    pid=$(podman inspect --format '{{.State.Pid}}' box)
    contains cgroup "machine.slice/libpod-" "$(cat "/proc/$pid/cgroup")"
    equal memory.max 67108864 "$(cat "$(cgroup_of "$pid")/memory.max")"
    podman rm --force --time 0 box >/dev/null
}
