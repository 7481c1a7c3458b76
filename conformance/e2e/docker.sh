#!/bin/bash
# dockerd, started from Debian's package with its own data, state, socket and containerd, with $RUNTIME added by --add-runtime.
# usage: [RUNTIME=/path] conformance/e2e/docker.sh [PATTERN…]
. "$(dirname "$0")/lib.sh"
command -v dockerd >/dev/null && command -v docker >/dev/null || skip_all "no docker here"
private_namespaces "$@"

image=busybox:e2e
export DOCKER_HOST=unix://$work/docker.sock DOCKER_CONFIG=$work/client
after_each() { docker ps --all --quiet | xargs -r docker rm --force; }
end_suite() {
    after_each >/dev/null 2>&1
    [ -n "${daemon:-}" ] && kill "$daemon" && wait "$daemon" 2>/dev/null
    find /sys/fs/cgroup -depth -type d -path '*/e2e-docker*' -exec rmdir {} + 2>/dev/null
    clean_work
}
trap end_suite EXIT

# start_daemon FLAGS…: dockerd, or its own reason in $work/dockerd.log
start_daemon() {
    echo '{}' >"$work/daemon.json"
    dockerd --config-file "$work/daemon.json" --data-root "$work/data" --exec-root /run/docker --pidfile /run/docker.pid \
        --host "$DOCKER_HOST" --cgroup-parent /e2e-docker --exec-opt native.cgroupdriver=cgroupfs \
        --add-runtime "$runtime_name-e2e=$RUNTIME" --default-runtime "$runtime_name-e2e" --log-level warn "$@" >"$work/dockerd.log" 2>&1 &
    daemon=$!
    for _ in $(seq 200); do
        docker version >/dev/null 2>&1 && return
        kill -0 $daemon 2>/dev/null || break
        sleep 0.1
    done
    return 1
}
started=no
# a kernel without the filter or NAT tables that docker wants still runs containers, without a bridge
for network in "--iptables=true" "--iptables=false --bridge=none"; do
    # shellcheck disable=SC2086
    start_daemon $network && started=yes && break
    kill $daemon 2>/dev/null
    wait $daemon 2>/dev/null
done
[ $started = yes ] || skip_all "dockerd does not start: $(grep -v '^$' "$work/dockerd.log" | tail -n 1)"

"$top/scripts/make-rootfs" "$work/rootfs"
printf '#!/bin/sh\ntrap "exit 0" TERM INT\nwhile :; do sleep 3600 & wait; done\n' >"$work/rootfs/bin/pause"
chmod 755 "$work/rootfs/bin/pause"
tar -C "$work/rootfs" -c . | docker import --change 'CMD ["/bin/pause"]' - $image >"$work/output" 2>&1 \
    || skip_all "docker can't import an image: $(tail -n 1 "$work/output")"

# docker runs every container at oom_score_adj ≥ 0, which needs no capability that may be missing
run() { docker run --rm --network none "$@"; }
background() { docker run --detach --network none --name "$@" $image pause >/dev/null; }
pid_of() { docker inspect --format '{{.State.Pid}}' "$1"; }
status_of() { docker inspect --format '{{.State.Status}}' "$1"; }

for file in "$here"/docker/*.sh; do
    # shellcheck source=/dev/null
    . "$file"
done
run_tests "$here"/docker/*.sh
