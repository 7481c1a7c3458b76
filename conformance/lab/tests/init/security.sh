# shellcheck shell=bash disable=SC2154
# AppArmor, user namespaces, idmapped mounts.

test_apparmor_profile() {
    [ "$(cat /sys/module/apparmor/parameters/enabled)" = Y ] || skip "this kernel runs without AppArmor"
    cat >"$work/profile" <<'PROFILE'
profile lab-no-shm flags=(attach_disconnected,mediate_deleted) {
  file,
  capability,
  deny /dev/shm/** w,
}
PROFILE
    apparmor_parser --replace --skip-cache "$work/profile"
    bundle confined '.process.apparmorProfile = "lab-no-shm"'
    script 'cat /proc/self/attr/current; touch /dev/shm/file 2>/dev/null || echo denied; touch /dev/file && echo elsewhere'
    equal output "lab-no-shm (enforce) denied elsewhere" "$(run confined | xargs)"
    edit '.process.args = ["sleep", "1000"]'
    background confined
    contains exec lab-no-shm "$(rt exec confined cat /proc/self/attr/current)"
    bundle missing '.process.apparmorProfile = "no-such-profile"'
    exits 1 run missing >"$work/refusal" 2>&1
    contains refusal no-such-profile "$(cat "$work/refusal")"
}

mappings='.linux.namespaces += [{"type": "user"}]
    | .linux.uidMappings = [{"containerID": 0, "hostID": 200000, "size": 65536}] | .linux.gidMappings = .linux.uidMappings'

test_user_namespace() {
    bundle mapped "$mappings" '.process.args = ["sleep", "1000"]'
    background mapped
    equal "uid outside" "200000" "$(stat -c %u "/proc/$pid")"
    equal map "0 200000 65536" "$(xargs <"/proc/$pid/uid_map")"
    equal "uid inside" 0 "$(rt exec mapped id -u)"
}

test_idmapped_mount() {
    mkdir -p "$work/data"
    chown 1000:1000 "$work/data"
    bundle idmapped "$mappings" ".mounts += [{\"destination\": \"/mnt\", \"type\": \"bind\", \"source\": \"$work/data\", \"options\": [\"bind\", \"idmap\"],
        \"uidMappings\": [{\"containerID\": 1000, \"hostID\": 200000, \"size\": 1}], \"gidMappings\": [{\"containerID\": 1000, \"hostID\": 200000, \"size\": 1}]}]"
    mkdir -p "$work/rootfs/mnt"
    script 'stat -c %u /mnt; touch /mnt/file'
    equal "owner inside" 0 "$(run idmapped)"
    equal "owner of the new file outside" 1000 "$(stat -c %u "$work/data/file")"
}
