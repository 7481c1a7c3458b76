# shellcheck shell=bash
# Networks, pods, kube files.

test_network_none_has_only_loopback() {
    equal links lo "$(run $image sh -c 'ls /sys/class/net' | grep -v -x -E 'sit0|tunl0|ip6tnl0|gre0|gretap0|erspan0|ip_vti0|ip6_vti0|ip6gre0' | xargs)"
}

test_network_host() {
    equal namespace "$(readlink /proc/self/ns/net)" "$(podman run --rm --network host $image readlink /proc/self/ns/net)"
}

# bridge: the machine's probe is netavark's own; podman is asked once, with a runtime-independent command
bridge_or_skip() {
    ip link add e2e-probe type bridge 2>"$work/probe" || skip "this kernel makes no bridge: $(cat "$work/probe")"
    ip link del e2e-probe
    iptables -t nat -L >/dev/null 2>"$work/probe" || skip "no NAT table here: $(head -n 1 "$work/probe")"
}

test_network_bridge() {
    bridge_or_skip
    contains address 10.88. "$(podman run --rm --network bridge $image ip -4 addr show eth0)"
    podman run --rm --network bridge --cap-add NET_RAW $image ping -c 1 -W 2 10.88.0.1 >/dev/null
}

test_published_port() {
    bridge_or_skip
    podman run --detach --name a --network bridge -p 127.0.0.1:18080:80 $image sh -c 'echo served >/tmp/index.html; exec httpd -f -h /tmp' >/dev/null
    served() { [ "$(busybox wget -q -O - http://"$(podman inspect --format '{{.NetworkSettings.IPAddress}}' a)"/ 2>/dev/null)" = served ]; }
    eventually 10 served
}

test_two_containers_talk_over_a_network() {
    bridge_or_skip
    podman network create e2e >/dev/null
    podman run --detach --name a --network e2e $image sh -c 'echo served >/tmp/index.html; exec httpd -f -h /tmp' >/dev/null
    local address
    address=$(podman inspect --format '{{(index .NetworkSettings.Networks "e2e").IPAddress}}' a)
    equal answer served "$(podman run --rm --network e2e $image wget -q -O - "http://$address/")"
    podman rm --force --time 0 a >/dev/null
    podman network rm e2e >/dev/null
}

test_pod_shares_namespaces() {
    podman pod create --name pod --network none --infra-image $image --infra-command /bin/pause >/dev/null
    podman run --detach --pod pod --name a $image pause >/dev/null
    local kind
    for kind in net ipc uts; do
        equal "$kind shared" "$(podman exec a readlink /proc/self/ns/$kind)" "$(podman run --rm --pod pod $image readlink /proc/self/ns/$kind)"
    done
    equal "pod of two" 2 "$(podman pod inspect pod | jq 'if type == "array" then .[0] else . end | .NumContainers')"
    podman pod stop --time 5 pod >/dev/null
    equal status exited "$(status_of a)"
    podman pod start pod >/dev/null
    equal status running "$(status_of a)"
    remove_pods
    equal left "" "$(podman ps --all --quiet)"
}

test_pod_shares_processes_when_asked() {
    podman pod create --name pod --network none --share pid,ipc,net,uts --infra-image $image --infra-command /bin/pause >/dev/null
    podman run --detach --pod pod --name a $image sleep 1234 >/dev/null
    contains "sees the other" "sleep 1234" "$(podman run --rm --pod pod $image ps)"
}

test_kube_play() {
    cat >"$work/pod.yaml" <<YAML
apiVersion: v1
kind: Pod
metadata:
  name: kube
spec:
  hostNetwork: true
  containers:
  - name: main
    image: $image
    imagePullPolicy: Never
    command: ["/bin/pause"]
    env: [{ name: FROM, value: kube }]
    resources: { limits: { memory: 64Mi } }
    securityContext: { readOnlyRootFilesystem: true, runAsUser: 1000, capabilities: { drop: [ALL] } }
    volumeMounts: [{ name: scratch, mountPath: /scratch }]
  volumes:
  - name: scratch
    emptyDir: {}
YAML
    podman kube play "$work/pod.yaml"
    equal environment kube "$(podman exec kube-main sh -c 'echo $FROM')"
    equal user 1000 "$(podman exec kube-main id -u)"
    equal memory 67108864 "$(cgroup_value "$(pid_of kube-main)" memory memory.limit_in_bytes memory.max)"
    exits 1 podman exec kube-main touch /file 2>/dev/null
    podman exec kube-main sh -c 'test -d /scratch'
    podman kube down "$work/pod.yaml" >/dev/null 2>&1 || remove_pods
    equal left "" "$(podman ps --all --quiet)"
}
