# shellcheck shell=bash
# What a container may see and do: users, capabilities, seccomp, file systems, namespaces.

test_users_and_groups() {
    equal numeric "1234 5678" "$(run --user 1234:5678 $image sh -c 'echo $(id -u) $(id -g)')"
    equal named "1000 1000" "$(run --user user $image sh -c 'echo $(id -u) $(id -g)')"
    contains "additional group" 2000 "$(run --user user --group-add 2000 $image id -G)"
    equal umask 0027 "$(run --umask 0027 $image sh -c umask)"
    equal home /root "$(run $image sh -c 'echo $HOME')"
}

test_capabilities() {
    local of='sed -n "s/^CapEff:\t//p" /proc/self/status'
    equal none 0000000000000000 "$(run --cap-drop all $image sh -c "$of")"
    equal "net_admin alone" 0000000000001000 "$(run --cap-drop all --cap-add net_admin $image sh -c "$of")"
    equal "none for a user" 0000000000000000 "$(run --user 1000 $image sh -c "$of")"
    exits 1 run --cap-drop chown $image chown user /tmp 2>/dev/null
    exits 0 run $image chown user /tmp
}

test_privileged() {
    run --privileged $image sh -c 'mount -t tmpfs tmpfs /tmp && test -c /dev/kmsg && grep -q "^Seccomp:.0" /proc/self/status'
}

test_seccomp_profile_from_a_file() {
    jq -n '{ defaultAction: "SCMP_ACT_ALLOW", syscalls: [{ names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 38 }] }' >"$work/seccomp.json"
    local output
    output=$(run --security-opt seccomp="$work/seccomp.json" $image mkdir /tmp/x 2>&1 || true)
    contains mkdir "Function not implemented" "$output"
    exits 0 run --security-opt seccomp="$work/seccomp.json" $image touch /tmp/x
}

test_seccomp_default_and_unconfined() {
    equal default 2 "$(run $image sed -n 's/^Seccomp:\t//p' /proc/self/status)"
    equal unconfined 0 "$(run --security-opt seccomp=unconfined $image sed -n 's/^Seccomp:\t//p' /proc/self/status)"
}

test_no_new_privileges() {
    equal set 1 "$(run --security-opt no-new-privileges $image sed -n 's/^NoNewPrivs:\t//p' /proc/self/status)"
    equal "not set" 0 "$(run $image sed -n 's/^NoNewPrivs:\t//p' /proc/self/status)"
}

test_read_only_root() {
    exits 1 run --read-only $image touch /file 2>/dev/null
    exits 0 run --read-only $image touch /tmp/file
    exits 1 run --read-only --read-only-tmpfs=false $image touch /tmp/file 2>/dev/null
}

test_tmpfs() {
    contains options "size=1024k" "$(run --tmpfs /scratch:size=1m,noexec $image grep ' /scratch ' /proc/mounts)"
    exits 126 run --tmpfs /scratch:noexec $image sh -c 'cp /bin/busybox /scratch/true; /scratch/true' 2>/dev/null
    equal "copied up" root:x:0:0:root:/root:/bin/sh "$(run --tmpfs /etc $image head -n 1 /etc/passwd)"
}

test_volumes() {
    mkdir -p "$work/volume"
    echo host >"$work/volume/file"
    equal read host "$(run -v "$work/volume:/v" $image cat /v/file)"
    run -v "$work/volume:/v:Z" $image sh -c 'echo container >/v/new'
    equal written container "$(cat "$work/volume/new")"
    exits 1 run -v "$work/volume:/v:ro" $image touch /v/no 2>/dev/null
    equal "a single file" host "$(run -v "$work/volume/file:/etc/one:ro" $image cat /etc/one)"
    run -v named:/data $image sh -c 'echo kept >/data/file'
    equal "named volume" kept "$(run -v named:/data $image cat /data/file)"
    podman volume rm named >/dev/null
}

test_mount_propagation() {
    mkdir -p "$work/shared/sub"
    mount -t tmpfs tmpfs "$work/shared"
    mount --make-shared "$work/shared"
    mkdir "$work/shared/sub"
    background a -v "$work/shared:/s:rslave"
    background b -v "$work/shared:/s:rprivate"
    mount -t tmpfs tmpfs "$work/shared/sub"
    touch "$work/shared/sub/later"
    podman exec a test -e /s/sub/later
    exits 1 podman exec b test -e /s/sub/later
    umount "$work/shared/sub"
    umount -l "$work/shared"
}

test_devices() {
    podman run --rm --network none $image sh -c 'for d in null zero full random urandom tty; do test -c /dev/$d || exit 1; done; echo x >/dev/null'
    exits 1 run $image sh -c 'mknod /tmp/kmsg c 1 11 && cat /tmp/kmsg' 2>/dev/null
    run --cap-add syslog --device /dev/kmsg:/dev/log0:r $image sh -c 'test -c /dev/log0 && dd if=/dev/log0 bs=8k count=1 of=/dev/null' 2>/dev/null
    exits 1 run --cap-add syslog --device /dev/kmsg:/dev/log0:r $image sh -c 'echo x >/dev/log0' 2>/dev/null
}

test_masked_and_unmasked_paths() {
    equal masked "0" "$(run $image cat /proc/timer_list | wc -c)"
    exits 1 run $image sh -c 'echo 1 >/proc/sys/kernel/sysrq' 2>/dev/null
    local size
    size=$(wc -c </proc/timer_list)
    [ "$size" -gt 0 ] && [ "$(run --security-opt unmask=/proc/timer_list $image cat /proc/timer_list | wc -c)" -gt 0 ]
    equal "asked for" 0 "$(run --security-opt mask=/proc/uptime $image cat /proc/uptime | wc -c)"
}

test_hostname_workdir_environment() {
    equal hostname box "$(run --hostname box $image hostname)"
    equal workdir /var "$(run --workdir /var $image pwd)"
    equal environment "b c" "$(run --env 'A=b c' $image sh -c 'echo "$A"')"
}

test_ulimit_and_oom_score() {
    equal nofile 100 "$(run --ulimit nofile=100:100 --ulimit nproc=100:100 $image sh -c 'ulimit -n')"
    equal core 0 "$(run --ulimit nofile=100:100 --ulimit nproc=100:100 --ulimit core=0 $image sh -c 'ulimit -c')"
    equal "oom score" 500 "$(run --oom-score-adj 500 $image cat /proc/self/oom_score_adj)"
}

test_sysctl() {
    equal sysctl 4096 "$(run --sysctl net.core.somaxconn=4096 $image cat /proc/sys/net/core/somaxconn)"
    equal sysctl 99 "$(run --sysctl kernel.msgmni=99 $image cat /proc/sys/kernel/msgmni)"
}

test_namespaces_of_the_host() {
    local kind
    for kind in pid ipc uts; do
        equal "$kind shared" "$(readlink /proc/self/ns/$kind)" "$(run --$kind host $image readlink /proc/self/ns/$kind)"
        [ "$(readlink /proc/self/ns/$kind)" != "$(run $image readlink /proc/self/ns/$kind)" ]
    done
}

test_namespaces_of_another_container() {
    background a
    local kind
    for kind in pid ipc; do
        equal "$kind joined" "$(podman exec a readlink /proc/self/ns/$kind)" "$(run --$kind container:a $image readlink /proc/self/ns/$kind)"
    done
    equal "network joined" "$(podman exec a readlink /proc/self/ns/net)" "$(podman run --rm --network container:a $image readlink /proc/self/ns/net)"
    contains "sees its processes" pause "$(run --pid container:a $image ps)"
}

test_user_namespace_auto() {
    local map
    map=$(run --userns auto $image cat /proc/self/uid_map)
    read -r inside outside length <<<"$map"
    equal inside 0 "$inside"
    [ "$outside" -ge 200000 ] && [ "$length" -ge 1024 ]
    equal owner 0 "$(run --userns auto $image stat -c %u /bin/busybox)"
}

test_user_namespace_by_map() {
    equal map "0 300000 65536" "$(run --uidmap 0:300000:65536 --gidmap 0:300000:65536 $image cat /proc/self/uid_map | xargs)"
    background a --uidmap 0:300000:65536 --gidmap 0:300000:65536
    equal "seen from the host" 300000 "$(stat -c %u "/proc/$(pid_of a)")"
    equal exec "0 300000 65536" "$(podman exec a cat /proc/self/uid_map | xargs)"
}

test_idmapped_volume() {
    [ "$("$RUNTIME" features 2>/dev/null | jq -r .linux.mountExtensions.idmap.enabled)" = true ] || skip "$runtime_name's features name no idmap"
    mkdir -p "$work/idmap"
    touch "$work/idmap/file"
    equal "owner inside" 0 "$(run --uidmap 0:300000:65536 --gidmap 0:300000:65536 -v "$work/idmap:/v:idmap" $image stat -c %u /v/file)"
}

test_root_directory_without_an_image() {
    equal output hi "$(podman run --rm --network none --rootfs "$work/rootfs" echo hi)"
    equal overlay hi "$(podman run --rm --network none --rootfs "$work/rootfs:O" sh -c 'touch /new; echo hi')"
    [ ! -e "$work/rootfs/new" ]
}
