# shellcheck shell=bash disable=SC2154
# The CRI plugin as a kubelet calls it: a pod sandbox, a container in it, exec, update, stop.

cri_call() { /usr/bin/python3 "$here/containerd/cri.py" "$socket" "$@"; }
# cri clean: every pod goes
cri() {
    local pod
    for pod in $(cri_call ListPodSandbox '{}' | jq -r '.items[]?.id'); do
        cri_call StopPodSandbox "{\"pod_sandbox_id\": \"$pod\"}"
        cri_call RemovePodSandbox "{\"pod_sandbox_id\": \"$pod\"}"
    done
}
cri_or_skip() {
    /usr/bin/python3 -c 'import grpc' 2>/dev/null || skip "no python3-grpcio here to speak CRI with"
    cri_call Version '{}' >"$work/version" 2>&1 || skip "containerd has no CRI plugin here: $(cat "$work/version")"
}

# pod NAME NETWORK [CONFIG]: runs a sandbox (network 0: its own, 2: the node's), prints its id and leaves its configuration in
# $work/NAME.json; CONFIG is laid over the defaults
pod() {
    jq -n --arg name "$1" --argjson network "$2" --arg logs "$work/logs" --argjson more "${3:-{\}}" '{ metadata: { name: $name, uid: $name, namespace: "default" },
        log_directory: $logs, linux: { cgroup_parent: "/e2e-cri", security_context: { namespace_options: { network: $network } } } } * $more' >"$work/$1.json"
    cri_call RunPodSandbox "$(jq '{ config: ., runtime_handler: "rtrun" }' "$work/$1.json")" | jq -r .pod_sandbox_id
}

# container POD-ID POD-NAME NAME CONFIG: creates it, prints its id; CONFIG is laid over the defaults
container() {
    cri_call CreateContainer "$(jq --arg pod "$1" --arg name "$3" --arg image $image --argjson more "${4:-{\}}" \
        '{ pod_sandbox_id: $pod, sandbox_config: ., config: ({ metadata: { name: $name }, image: { image: $image },
           command: ["/bin/pause"], log_path: ($name + ".log") } * $more) }' "$work/$2.json")" | jq -r .container_id
}
on() { cri_call "$1" "{\"container_id\": \"$2\"}"; }
# in_container ID COMMAND…: the answer of ExecSync
in_container() { cri_call ExecSync "$(printf '%s\n' "${@:2}" | jq -R . | jq -s --arg id "$1" '{ container_id: $id, cmd: . }')"; }
state_is() { [ "$(on ContainerStatus "$1" | jq .status.state)" = "$2" ]; }

test_cri_pod_with_a_container() {
    cri_or_skip
    local pod id
    pod=$(pod one 2)
    id=$(container "$pod" one main '{"envs": [{"key": "KEY", "value": "value"}]}')
    on StartContainer "$id" >/dev/null
    eventually 5 state_is "$id" 1
    equal environment value "$(in_container "$id" sh -c 'echo $KEY' | jq -r .stdout | xargs)"
    equal "exit code of exec" 3 "$(in_container "$id" sh -c 'exit 3' | jq .exit_code)"
    [ "$("$RUNTIME" --root /run/containerd/runc/k8s.io state "$id" | jq -r .status)" = running ]
    cri_call StopContainer "{\"container_id\": \"$id\", \"timeout\": 5}" >/dev/null
    eventually 5 state_is "$id" 2
    on RemoveContainer "$id" >/dev/null
    cri
    equal pods "" "$(cri_call ListPodSandbox '{}' | jq -r '.items[]?.id')"
}

test_cri_exit_code_and_log() {
    cri_or_skip
    local pod id
    pod=$(pod two 2)
    id=$(container "$pod" two main '{"command": ["/bin/sh", "-c", "echo logged; exit 7"]}')
    on StartContainer "$id" >/dev/null
    eventually 10 state_is "$id" 2
    equal "exit code" 7 "$(on ContainerStatus "$id" | jq .status.exit_code)"
    contains log "stdout F logged" "$(cat "$work/logs/main.log")"
    cri
}

test_cri_limits_and_their_update() {
    cri_or_skip
    local pod id pid
    pod=$(pod three 2)
    id=$(container "$pod" three main '{"linux": {"resources": {"memory_limit_in_bytes": 67108864, "cpu_shares": 512, "cpuset_cpus": "0"}}}')
    on StartContainer "$id" >/dev/null
    pid=$("$RUNTIME" --root /run/containerd/runc/k8s.io state "$id" | jq .pid)
    equal memory 67108864 "$(cgroup_value "$pid" memory memory.limit_in_bytes memory.max)"
    equal affinity 0 "$(status_field "$pid" Cpus_allowed_list)"
    cri_call UpdateContainerResources "{\"container_id\": \"$id\", \"linux\": {\"memory_limit_in_bytes\": 100663296}}" >/dev/null
    equal "updated memory" 100663296 "$(cgroup_value "$pid" memory memory.limit_in_bytes memory.max)"
    cri
}

test_cri_security_context() {
    cri_or_skip
    local pod id
    pod=$(pod four 2)
    id=$(container "$pod" four main '{"linux": {"security_context": {"run_as_user": {"value": 1000}, "readonly_rootfs": true,
        "no_new_privs": true, "capabilities": {"drop": ["ALL"]}, "supplemental_groups": [2000]}}}')
    on StartContainer "$id" >/dev/null
    contains user "uid=1000" "$(in_container "$id" id | jq -r .stdout)"
    contains group 2000 "$(in_container "$id" id | jq -r .stdout)"
    equal "no new privileges" 1 "$(in_container "$id" sed -n 's/^NoNewPrivs:\t//p' /proc/self/status | jq -r .stdout)"
    equal "read-only root" 1 "$(in_container "$id" touch /file | jq .exit_code)"
    cri
}

test_cri_pod_with_its_own_network() {
    cri_or_skip
    [ -x /usr/lib/cni/bridge ] || skip "no CNI plugins here"
    local pod id address
    pod=$(pod five 0) 2>"$work/error" || { cat "$work/error"; return 1; }
    id=$(container "$pod" five main '{"command": ["/bin/sh", "-c", "echo served >/tmp/index.html; exec httpd -f -h /tmp"]}')
    on StartContainer "$id" >/dev/null
    address=$(cri_call PodSandboxStatus "{\"pod_sandbox_id\": \"$pod\"}" | jq -r .status.network.ip)
    contains address 10.99. "$address"
    answers() { [ "$(busybox wget -q -O - "http://$address/" 2>/dev/null)" = served ]; }
    eventually 10 answers
    cri
}

test_cri_two_containers_share_the_pod() {
    cri_or_skip
    local pod one two kind
    pod=$(pod six 2)
    one=$(container "$pod" six first)
    two=$(container "$pod" six second)
    on StartContainer "$one" >/dev/null
    on StartContainer "$two" >/dev/null
    for kind in ipc uts; do
        equal "$kind shared" "$(in_container "$one" readlink /proc/self/ns/$kind | jq -r .stdout)" "$(in_container "$two" readlink /proc/self/ns/$kind | jq -r .stdout)"
    done
    [ "$(in_container "$one" readlink /proc/self/ns/mnt | jq -r .stdout)" != "$(in_container "$two" readlink /proc/self/ns/mnt | jq -r .stdout)" ]
    cri
}
