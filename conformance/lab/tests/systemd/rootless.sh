# shellcheck shell=bash disable=SC2154
# An ordinary user with systemd's delegation.

# as_lab COMMAND…: in the user's own session, where his systemd runs
as_lab() {
    loginctl enable-linger lab
    ready() { [ -S /run/user/1000/systemd/private ] && [ -S /run/user/1000/bus ]; }
    eventually 60 ready
    setpriv --reuid 1000 --regid 1000 --clear-groups env -i PATH="$PATH" HOME=/home/lab USER=lab XDG_RUNTIME_DIR=/run/user/1000 \
        DBUS_SESSION_BUS_ADDRESS=unix:path=/run/user/1000/bus "$@"
}
scope() { as_lab systemd-run --user --scope --quiet --property Delegate=yes "$@"; }

test_rootless_run_in_a_scope_of_the_user() {
    bundle user '.linux.namespaces += [{"type": "user"}] | .linux.namespaces |= map(select(.type != "network"))' \
        '.linux.uidMappings = [{"containerID": 0, "hostID": 1000, "size": 1}] | .linux.gidMappings = .linux.uidMappings' \
        '.mounts |= map(if .destination == "/sys" then {destination: "/sys", type: "none", source: "/sys", options: ["rbind", "ro"]} else . end)' \
        '.mounts |= map(if .destination == "/dev/pts" then .options -= ["gid=5"] else . end)' \
        '.linux.resources = {"memory": {"limit": 67108864}, "pids": {"limit": 20}} | .linux.cgroupsPath = "user.slice:rtrun:user"' \
        '.process.args = ["sleep", "1000"]'
    chmod 644 "$bundle/config.json"
    scope "$RUNTIME" --systemd-cgroup run --detach --bundle "$bundle" --pid-file /run/user/1000/user.pid user </dev/null >"$work/user.out" 2>&1 \
        || { cat "$work/user.out"; return 1; }
    pid=$(cat /run/user/1000/user.pid)
    contains cgroup "user@1000.service" "$(cat "/proc/$pid/cgroup")"
    contains cgroup "rtrun-user.scope" "$(cat "/proc/$pid/cgroup")"
    equal memory.max 67108864 "$(cat "$(cgroup_of "$pid")/memory.max")"
    equal pids.max 20 "$(cat "$(cgroup_of "$pid")/pids.max")"
    as_lab "$RUNTIME" --systemd-cgroup delete --force user
    [ ! -d "$(cgroup_of "$pid")" ] || [ ! -e "/proc/$pid" ]
}

test_rootless_podman_with_limits() {
    podman_image
    as_lab podman load --quiet --input "$work/image.oci" >/dev/null
    equal output 0 "$(as_lab podman --runtime "$RUNTIME" run --rm --network none "$image" id -u)"
    as_lab podman --runtime "$RUNTIME" run --detach --name box --network none --memory 64m --pids-limit 30 "$image" sleep 1000 >/dev/null
    pid=$(as_lab podman inspect --format '{{.State.Pid}}' box)
    contains cgroup "user@1000.service" "$(cat "/proc/$pid/cgroup")"
    equal memory.max 67108864 "$(cat "$(cgroup_of "$pid")/memory.max")"
    equal pids.max 30 "$(cat "$(cgroup_of "$pid")/pids.max")"
    equal exec hi "$(as_lab podman exec box echo hi)"
    as_lab podman rm --force --time 0 box >/dev/null
}
