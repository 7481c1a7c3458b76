# shellcheck shell=bash disable=SC2034,SC2154
# What the lab's cases share: bundles, the runtime, users.

rt() { "$RUNTIME" "$@"; }

# bundle NAME [JQ-FILTER…]: makes $work/NAME/config.json from `rtrun spec`, without a terminal, changed by the filters; all bundles
# share one root file system of busybox. Sets $bundle.
bundle() {
    bundle=$work/$1
    shift
    [ -e "$work/rootfs" ] || "$top/scripts/make-rootfs" "$work/rootfs"
    mkdir -p "$bundle"
    (cd "$bundle" && rm -f config.json && rt spec)
    edit ".process.terminal = false | .root.path = \"$work/rootfs\"" "$@"
}
# edit JQ-FILTER…: changes the last bundle's configuration
edit() {
    local filter
    for filter in "$@"; do
        jq "$filter" "$bundle/config.json" >"$bundle/new" && mv "$bundle/new" "$bundle/config.json"
    done
}
# script TEXT: the shell text that the container runs
script() { edit ".process.args = [\"sh\", \"-c\", $(jq -n --arg text "$1" '$text')]"; }

# run NAME: in the foreground, until it ends
run() { rt run --bundle "$bundle" "$1" </dev/null; }
# background NAME: started, its output in $work/NAME.out; sets $pid
background() {
    rt run --detach --bundle "$bundle" --pid-file "$work/$1.pid" "$1" </dev/null >"$work/$1.out" 2>&1 || { cat "$work/$1.out"; return 1; }
    pid=$(cat "$work/$1.pid")
}
cgroup_of() { echo "/sys/fs/cgroup$(sed -n 's/^0:://p' "/proc/$1/cgroup")"; }
status_is() { [ "$(rt state "$1" 2>/dev/null | jq -r .status)" = "$2" ]; }

# every container of the test goes, whoever's it is
after_each() {
    local id
    for id in $(rt list -q); do rt delete --force "$id"; done
}
end_session() {
    after_each >/dev/null 2>&1
    cd /
}

# podman_image: $image, made once of the bundles' root file system; also as a file that another user can load
podman_image() {
    image=localhost/lab
    [ -e "$work/image.oci" ] && return
    bundle image
    tar -C "$work/rootfs" -cf "$work/image.tar" .
    podman import "$work/image.tar" $image >/dev/null 2>&1
    podman save --quiet --output "$work/image.oci" $image
    chmod 644 "$work/image.oci"
}
