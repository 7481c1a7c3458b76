# shellcheck shell=bash disable=SC2154
# An ordinary user's containers, with a cgroup that was given to him by hand.

as_lab() { setpriv --reuid 1000 --regid 1000 --clear-groups env -i PATH="$PATH" HOME=/home/lab XDG_RUNTIME_DIR=/run/user/1000 "$@"; }

# rootless_bundle NAME: the user is root of his own namespace
rootless_bundle() {
    bundle "$1" '.linux.namespaces += [{"type": "user"}] | .linux.namespaces |= map(select(.type != "network"))' \
        '.linux.uidMappings = [{"containerID": 0, "hostID": 1000, "size": 1}] | .linux.gidMappings = .linux.uidMappings' \
        '.linux.resources = {}' '.mounts |= map(if .destination == "/sys" then {destination: "/sys", type: "none", source: "/sys", options: ["rbind", "ro"]} else . end)' \
        '.mounts |= map(if .destination == "/dev/pts" then .options -= ["gid=5"] else . end)'
    install -d -o 1000 -g 1000 -m 700 /run/user/1000
    chmod 755 "$bundle"
    chmod 644 "$bundle/config.json"
}

test_rootless_run_without_a_cgroup() {
    rootless_bundle user
    script 'id -u; cat /proc/self/uid_map'
    equal output "0 0 1000 1" "$(as_lab "$RUNTIME" run --bundle "$bundle" user | xargs)"
}

test_rootless_limits_in_a_delegated_cgroup() {
    rootless_bundle delegated
    edit '.linux.cgroupsPath = "/delegated/box"' '.linux.resources = {"memory": {"limit": 33554432}, "pids": {"limit": 9}}' '.process.args = ["sleep", "1000"]'
    mkdir -p /sys/fs/cgroup/delegated/shell
    echo '+memory +pids' >/sys/fs/cgroup/delegated/cgroup.subtree_control
    chown 1000:1000 /sys/fs/cgroup/delegated{,/shell,/cgroup.procs,/cgroup.subtree_control,/cgroup.threads,/shell/cgroup.procs}
    # who moves a process needs the right over the common ancestor: the user starts inside what is his
    (echo $BASHPID >/sys/fs/cgroup/delegated/shell/cgroup.procs
        as_lab "$RUNTIME" run --detach --bundle "$bundle" delegated </dev/null >"$work/delegated.out" 2>&1) || { cat "$work/delegated.out"; return 1; }
    equal memory.max 33554432 "$(cat /sys/fs/cgroup/delegated/box/memory.max)"
    equal pids.max 9 "$(cat /sys/fs/cgroup/delegated/box/pids.max)"
    as_lab "$RUNTIME" delete --force delegated
    rmdir /sys/fs/cgroup/delegated/shell /sys/fs/cgroup/delegated
}
