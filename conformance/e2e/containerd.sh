#!/bin/bash
# containerd, started from Debian's package with its own root, state and sockets, on top of $RUNTIME through the stock
# io.containerd.runc.v2 shim: `ctr`, then the CRI plugin as a kubelet calls it.
# usage: [RUNTIME=/path] conformance/e2e/containerd.sh [PATTERN…]
. "$(dirname "$0")/lib.sh"
command -v containerd >/dev/null && command -v ctr >/dev/null || skip_all "no containerd here"
private_namespaces "$@"

socket=$work/containerd.sock
image=docker.io/library/busybox:e2e
cat >"$work/config.toml" <<CONF
version = 2
root = "$work/root"
state = "/run/containerd"
[grpc]
  address = "$socket"
[plugins."io.containerd.grpc.v1.cri"]
  restrict_oom_score_adj = true
  sandbox_image = "$image"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "$work/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    default_runtime_name = "rtrun"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.rtrun]
      runtime_type = "io.containerd.runc.v2"
      pod_annotations = ["org.rtrun.*", "org.rtrun.*/*"]
      container_annotations = ["org.rtrun.*", "org.rtrun.*/*"]
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.rtrun.options]
        BinaryName = "$RUNTIME"
CONF
mkdir -p "$work/cni"
cat >"$work/cni/10-e2e.conflist" <<CONF
{ "cniVersion": "0.4.0", "name": "e2e", "plugins": [{ "type": "bridge", "bridge": "e2e0", "isGateway": true,
  "ipam": { "type": "host-local", "dataDir": "$work/ipam", "ranges": [[{ "subnet": "10.99.0.0/16" }]] } }] }
CONF

# an OCI image archive of one layer: the blobs are named by their digests
make_image() {
    local blobs=$work/oci/blobs/sha256 layer config manifest
    mkdir -p "$blobs"
    "$top/scripts/make-rootfs" "$work/rootfs"
    printf '#!/bin/sh\ntrap "exit 0" TERM INT\nwhile :; do sleep 3600 & wait; done\n' >"$work/rootfs/bin/pause"
    chmod 755 "$work/rootfs/bin/pause"
    tar -C "$work/rootfs" -cf "$work/layer" .
    # blob FILE: moves it to its place, prints its digest
    blob() { local digest; digest=$(sha256sum "$1" | cut -d ' ' -f 1); mv "$1" "$blobs/$digest"; echo "$digest"; }
    layer=$(blob "$work/layer")
    jq -n --arg layer "sha256:$layer" --arg arch "$(dpkg --print-architecture)" '{ architecture: $arch, os: "linux",
        config: { Env: ["PATH=/bin"], Cmd: ["/bin/pause"] }, rootfs: { type: "layers", diff_ids: [$layer] } }' >"$work/part"
    config=$(blob "$work/part")
    size() { stat -c %s "$blobs/$1"; }
    jq -n --arg config "sha256:$config" --argjson config_size "$(size "$config")" --arg layer "sha256:$layer" --argjson layer_size "$(size "$layer")" '
        { schemaVersion: 2, mediaType: "application/vnd.oci.image.manifest.v1+json",
          config: { mediaType: "application/vnd.oci.image.config.v1+json", digest: $config, size: $config_size },
          layers: [{ mediaType: "application/vnd.oci.image.layer.v1.tar", digest: $layer, size: $layer_size }] }' >"$work/part"
    manifest=$(blob "$work/part")
    jq -n --arg digest "sha256:$manifest" --argjson size "$(size "$manifest")" --arg name $image '
        { schemaVersion: 2, manifests: [{ mediaType: "application/vnd.oci.image.manifest.v1+json", digest: $digest, size: $size,
          annotations: { "io.containerd.image.name": $name } }] }' >"$work/oci/index.json"
    echo '{"imageLayoutVersion":"1.0.0"}' >"$work/oci/oci-layout"
    tar -C "$work/oci" -cf "$work/image.tar" .
}

ctr() { command ctr --address "$socket" --namespace e2e "$@"; }
after_each() {
    local task container
    for task in $(ctr task ls -q); do
        ctr task kill --all --signal KILL "$task"
        ctr task delete --force "$task"
    done
    for container in $(ctr container ls -q); do ctr container rm "$container"; done
    for container in $(ctr snapshot ls | awk 'NR > 1 && $1 !~ /^sha256/ { print $1 }'); do ctr snapshot rm "$container"; done
}
end_suite() {
    after_each >/dev/null 2>&1
    cri >/dev/null 2>&1
    [ -n "${daemon:-}" ] && kill "$daemon" && wait "$daemon" 2>/dev/null
    find /sys/fs/cgroup -depth -type d \( -path '/sys/fs/cgroup/*/e2e/*' -o -path '*/e2e-cri*' \) -exec rmdir {} + 2>/dev/null
    find /sys/fs/cgroup -maxdepth 2 -name e2e -type d -exec rmdir {} + 2>/dev/null
    clean_work
}
trap end_suite EXIT

make_image
containerd --config "$work/config.toml" --log-level warn >"$work/containerd.log" 2>&1 &
daemon=$!
eventually 20 ctr version >/dev/null 2>&1 || skip_all "containerd does not start: $(tail -n 1 "$work/containerd.log")"
for namespace in e2e k8s.io; do
    command ctr --address "$socket" --namespace $namespace image import "$work/image.tar" >"$work/output" 2>&1 \
        || skip_all "containerd can't import an image: $(tail -n 1 "$work/output")"
done

# run [FLAGS…] ID COMMAND…: ctr run through this runtime; the image goes between the flags and the id
run() {
    local flags=()
    while [[ $1 == -* ]]; do
        case $1 in
            --*=*|--rm|--detach|--tty|--null-io|--read-only|--net-host|--privileged|--no-pivot) flags+=("$1"); shift ;;
            *) flags+=("$1" "$2"); shift 2 ;;
        esac
    done
    ctr run --runc-binary "$RUNTIME" "${flags[@]}" $image "$@"
}
background() { run --detach --null-io "$@" /bin/pause; }
pid_of() { ctr task ls | awk -v id="$1" '$1 == id { print $2 }'; }
status_of() { ctr task ls | awk -v id="$1" '$1 == id { print $3 }'; }
has_status() { [ "$(status_of "$1")" = "$2" ]; }

for file in "$here"/containerd/*.sh; do
    # shellcheck source=/dev/null
    . "$file"
done
run_tests "$here"/containerd/*.sh
