# shellcheck shell=bash
# podman as an ordinary user. The user, its ranges of ids and its folders exist in this suite's mount namespace only.

# as_user COMMAND…: in the user's own environment
as_user() {
    setpriv --reuid 1000 --regid 1000 --clear-groups env -i PATH="$PATH" HOME="$work/home" USER=user XDG_RUNTIME_DIR=/run/user/1000 \
        CONTAINERS_CONF="$work/home/containers.conf" CONTAINERS_STORAGE_CONF="$work/home/storage.conf" "$@"
}

# Probed once, with nothing of the runtime: the mapping helpers, then podman's own user namespace, then an image.
user_or_skip() {
    [ ! -e "$work/home/ready" ] || return 0
    command -v newuidmap >/dev/null || skip "no newuidmap here (package uidmap)"
    chmod 755 "$work"
    chmod 644 "$work/image.tar"
    sed "s|^network_config_dir.*|network_config_dir = \"$work/home/networks\"|" "$work/containers.conf" >"$work/home/containers.conf"
    mkdir -p /run/user/1000
    printf '[storage]\ndriver = "vfs"\nrunroot = "/run/user/1000/containers"\ngraphroot = "%s/home/storage"\n' "$work" >"$work/home/storage.conf"
    chown -R 1000:1000 /run/user/1000 "$work/home"
    as_user test -x "$RUNTIME" || skip "an ordinary user can't reach $RUNTIME"
    as_user podman unshare cat /proc/self/uid_map >"$work/probe" 2>&1 || skip "podman unshare: $(tail -n 1 "$work/probe")"
    as_user podman import --change 'ENV PATH=/bin' --change 'CMD ["/bin/pause"]' "$work/image.tar" $image >"$work/probe" 2>&1 \
        || skip "podman import as a user: $(tail -n 1 "$work/probe")"
    touch "$work/home/ready"
}
as_user_run() { as_user podman run --rm --network none "$@"; }

test_rootless_run_and_exit_codes() {
    user_or_skip
    equal output hello "$(as_user_run $image echo hello)"
    exits 7 as_user_run $image sh -c 'exit 7'
    exits 127 as_user_run $image no-such-program
}

test_rootless_user_maps() {
    user_or_skip
    equal "root is the user" "0 1000 1" "$(as_user_run $image head -n 1 /proc/self/uid_map | xargs)"
    equal keep-id 1000 "$(as_user_run --userns keep-id $image id -u)"
}

test_rootless_exec_stop_and_remove() {
    user_or_skip
    as_user podman run --detach --network none --name a $image pause >/dev/null
    equal output hi "$(as_user podman exec a echo hi)"
    as_user podman stop --time 5 a >/dev/null
    equal "exit code" 0 "$(as_user podman inspect --format '{{.State.ExitCode}}' a)"
    as_user podman rm --force --time 0 a >/dev/null
    equal left "" "$(as_user podman ps --all --quiet)"
}

test_rootless_volume_and_read_only() {
    user_or_skip
    mkdir -p "$work/home/volume"
    chown 1000:1000 "$work/home/volume"
    as_user_run -v "$work/home/volume:/v" $image touch /v/file
    equal "owner on the host" 1000 "$(stat -c %u "$work/home/volume/file")"
    exits 1 as_user_run --read-only $image touch /file 2>/dev/null
}

test_rootless_network() {
    user_or_skip
    as_user test -w /dev/net/tun || skip "an ordinary user may not open /dev/net/tun here"
    command -v slirp4netns >/dev/null || skip "no slirp4netns here"
    contains address 10.0.2. "$(as_user podman run --rm --network slirp4netns $image ip -4 addr show tap0)"
}
