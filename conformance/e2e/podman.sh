#!/bin/bash
# podman, started from Debian's package with its own storage, network and configuration, on top of $RUNTIME.
# usage: [RUNTIME=/path] conformance/e2e/podman.sh [PATTERN…]      only the tests whose name has one of the patterns in it
. "$(dirname "$0")/lib.sh"
command -v podman >/dev/null || skip_all "no podman here"
private_namespaces "$@"

# /etc/subuid of this mount namespace only: `containers` is who --userns=auto takes its ranges from, `user` is the rootless one.
printf 'containers:200000:1000000\nuser:1300000:65536\n' >"$work/subids"
for file in passwd group; do cp /etc/$file "$work/$file"; done
echo "user:x:1000:1000::$work/home:/bin/sh" >>"$work/passwd"
echo "user:x:1000:" >>"$work/group"
for file in passwd group; do mount --bind "$work/$file" /etc/$file; done
for file in /etc/subuid /etc/subgid; do
    [ -e $file ] || touch $file
    mount --bind "$work/subids" $file
done

# The limits are those that this process has: without CAP_SYS_RESOURCE podman's own defaults can't be set.
cat >"$work/containers.conf" <<CONF
[containers]
default_ulimits = ["nofile=$(ulimit -Sn):$(ulimit -Hn)", "nproc=4096:4096"]
log_driver = "k8s-file"
[network]
network_backend = "netavark"
network_config_dir = "$work/networks"
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
runtime = "$runtime_name"
runtime_supports_json = ["crun", "runc", "$runtime_name"]
runtime_supports_nocgroup = ["crun", "$runtime_name"]
infra_image = "localhost/busybox"
infra_command = "/bin/pause"
[engine.runtimes]
$runtime_name = ["$RUNTIME"]
CONF
printf '[storage]\ndriver = "overlay"\nrunroot = "/run/containers/storage"\ngraphroot = "%s/storage"\n' "$work" >"$work/storage.conf"
export CONTAINERS_CONF=$work/containers.conf CONTAINERS_STORAGE_CONF=$work/storage.conf
image=localhost/busybox

# every container of the test before goes; the cgroup that podman keeps for them goes with the suite
after_each() {
    podman pod rm --force --all --time 0
    podman rm --force --all --time 0
}
end_suite() {
    after_each >/dev/null 2>&1
    # a user's podman leaves a process that holds its namespaces open
    for environment in $(grep -lzFx "HOME=$work/home" /proc/[0-9]*/environ 2>/dev/null); do
        kill "$(basename "$(dirname "$environment")")" 2>/dev/null
    done
    # podman's parent group has a fixed name: it is this suite's to take away only if it was not there before
    [ -n "$parent_before" ] || find /sys/fs/cgroup -depth -type d -path '*/libpod_parent*' -exec rmdir {} + 2>/dev/null
    clean_work
}
parent_before=$(find /sys/fs/cgroup -maxdepth 2 -name libpod_parent -print -quit)
trap end_suite EXIT

"$top/scripts/make-rootfs" "$work/rootfs"
printf '#!/bin/sh\ntrap "exit 0" TERM INT\nwhile :; do sleep 3600 & wait; done\n' >"$work/rootfs/bin/pause"
printf '#!/bin/sh\nsleep 1000' >"$work/rootfs/bin/not-executable"
chmod 755 "$work/rootfs/bin/pause"
mkdir -p "$work/home"
tar -C "$work/rootfs" -cf "$work/image.tar" .
podman import --change 'ENV PATH=/bin' --change 'CMD ["/bin/pause"]' "$work/image.tar" $image >"$work/output" 2>&1 \
    || skip_all "podman can't import an image: $(tail -n 1 "$work/output")"

# run ARGUMENTS…: podman run --rm of a container without a network of its own, which makes it quicker
run() { podman run --rm --network none "$@"; }
# background NAME [ARGUMENTS…]: a container that waits for SIGTERM; prints nothing
background() { podman run --detach --network none --name "$@" $image pause >/dev/null; }
# remove_pods: conmon may still be in the pod's cgroup, which podman then fails to remove at the first try
remove_pods() {
    podman pod rm --force --all --time 0 >/dev/null 2>&1 || podman pod rm --force --all --time 0 >/dev/null
}
pid_of() { podman inspect --format '{{.State.Pid}}' "$1"; }
status_of() { podman inspect --format '{{.State.Status}}' "$1"; }
has_status() { [ "$(status_of "$1")" = "$2" ]; }

for file in "$here"/podman/*.sh; do
    # shellcheck source=/dev/null
    . "$file"
done
run_tests "$here"/podman/*.sh
