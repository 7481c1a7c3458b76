# shellcheck shell=bash disable=SC2154
# Folders, archives and images; the images are podman's.

# files: a small root filesystem in $work/files
files() {
    [ -d files ] && return
    mkdir -p files/bin files/etc
    cp "$(command -v busybox)" files/bin/busybox
    ln -s busybox files/bin/sh
    echo 'app:x:1234:77::/:/bin/sh' >files/etc/passwd
}

# the entry's words
words="-c 'echo words \$0; busybox ls /'"

test_a_folder_is_a_root_filesystem_and_stays_as_it_is() {
    files
    find files | sort >before
    contains words "words one" "$(cli --app files --entry bin/sh --params "$words one")"
    find files | sort | diff before -
    contains refusal "--entry names one" "$(exits 1 cli --app files 2>&1)"
    contains refusal "is not in" "$(exits 1 cli --app files --entry bin/nothing 2>&1)"
}

test_archives_plain_and_compressed() {
    files
    tar -C files -cf plain.tar . && gzip -k plain.tar
    local archive
    for archive in plain.tar plain.tar.gz; do
        contains "$archive" "words two" "$(cli --app $archive --entry bin/sh --params "$words two")"
    done
    command -v zstd >/dev/null || return 0
    zstd -q plain.tar
    contains zstd "words two" "$(cli --app plain.tar.zst --entry bin/sh --params "$words two")"
}

# podman without its daemon, network and overlay
maker() { podman --root "$work/podman" --runroot "$work/podman-run" --storage-driver vfs "$@"; }

test_images_in_every_layout_keep_layers_order_whiteouts_and_config() {
    command -v podman >/dev/null || skip "no podman"
    files
    tar -C files -cf files.tar .
    cat >Containerfile <<'C'
FROM scratch
ADD files.tar /
RUN ["/bin/busybox", "sh", "-c", "echo one >/one; echo two >/two; busybox mkdir /many; echo x >/many/x"]
RUN ["/bin/busybox", "sh", "-c", "busybox rm -r /one /many; busybox mkdir /many; echo three >/two"]
USER app
WORKDIR /etc
ENV COLOR=blue
ENTRYPOINT ["/bin/sh", "-c", "busybox id -u; busybox id -g; pwd; echo $COLOR $0; busybox cat /two; busybox ls / /many"]
CMD ["default"]
C
    maker build -q --layers --network host --isolation chroot --ulimit nofile=1024:4096 -t image . >build.log 2>&1 \
        || skip "podman can't build here: $(tail -n 1 build.log)"
    maker save -q --format docker-archive -o docker.tar image
    maker save -q --format oci-archive -o oci.tar image
    maker save -q --format oci-dir -o oci image
    local image out
    for image in docker.tar oci.tar oci; do
        out=$(cli --app $image)
        contains "$image: config" "1234"$'\n'"77"$'\n'"/etc"$'\n'"blue default"$'\n'"three" "$out"
        [[ $out != *one* && $out != *x* ]] || { echo "$image: a whiteout was not applied: $out"; return 1; }
        contains "$image: params" "blue other" "$(cli --app $image --params other)"
    done
}

test_an_altered_layer_is_refused_and_leaves_nothing() {
    [ -d oci ] || skip "no image was built"
    cp -r oci altered
    local layer
    layer=$(jq -r '.manifests[0].digest | ltrimstr("sha256:")' altered/index.json)
    layer=$(jq -r '.layers[0].digest | ltrimstr("sha256:")' "altered/blobs/sha256/$layer")
    printf 'x' | dd of="altered/blobs/sha256/$layer" bs=1 seek=700 conv=notrunc status=none
    rm -rf "$work"/cache/*
    exits 1 cli --app altered 2>&1 | grep -q altered
    equal unpacked "" "$(find "$work/cache" -mindepth 1 -maxdepth 1 ! -name '*.lock')"
}

test_hostile_archives_are_refused() {
    python3 - <<'PY'
import io, tarfile
def archive(name, *members):
    with tarfile.open(name, "w") as tar:
        for member, kind, link in members:
            info = tarfile.TarInfo(member)
            info.type, info.linkname = kind, link
            tar.addfile(info, io.BytesIO())
archive("up.tar", ("../evil", tarfile.REGTYPE, ""))
archive("absolute.tar", ("/tmp/evil", tarfile.REGTYPE, ""))
archive("device.tar", ("null", tarfile.CHRTYPE, ""))
archive("hardlink.tar", ("passwd", tarfile.LNKTYPE, "../../../etc/passwd"))
PY
    local archive
    for archive in up absolute device hardlink; do
        exits 1 cli --app $archive.tar --entry x 2>&1 | grep -q refused || { echo "$archive.tar"; return 1; }
    done
}
