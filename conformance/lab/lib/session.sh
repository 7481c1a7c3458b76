# shellcheck shell=bash disable=SC2154
# One life of a guest: its folder, its channels, its end.

# Seconds from power-on to the command; many times what a quiet machine takes.
boot_limit=${LAB_BOOT_SECONDS:-300}

# session COMMAND: runs it in a fresh guest and ends with its exit code; an empty COMMAND is a shell on this terminal
session() {
    local code try
    find_qemu
    find_accel
    mkdir -p "$cache/sessions"
    trap end_session EXIT
    for try in 1 2 3; do
        one_guest "$1"
        [ ! -e "$folder/booted" ] && translation_crashed "$folder/console" || break
        say "QEMU's translation crashed the guest's kernel before it was up (try $try): again"
        end_session
    done
    code=$(cat "$folder/exit" 2>/dev/null) || code=$(explain)
    exit "$code"
}

# translation_crashed CONSOLE: while a kernel rewrites its code, TCG on several threads may run what was there before; guest/run
# keeps that rare, but cannot during boot
translation_crashed() { [ "$accel" = tcg ] && grep -q 'Oops: int3' "$1" 2>/dev/null; }

one_guest() {
    folder=$(mktemp -d "$cache/sessions/XXXXXX")
    fill_folder "$1"
    qemu_line
    add_shares
    add_channels "$1"
    start_guest "$1"
}

# fill_folder COMMAND: /lab of the guest
fill_folder() {
    local one
    cp -r "$lab/guest" "$folder/guest"
    mkdir "$folder/bin"
    if [ ${#bins[@]} -eq 0 ]; then
        for one in "$top"/target/*/release/rtrun; do [ ! -x "$one" ] || bins=("$one"); done
    fi
    for one in "${bins[@]}"; do cp "$one" "$folder/bin/"; done
    case $flavour in
        init) echo /lab/guest/init ;;
        systemd) echo /lib/systemd/systemd ;;
    esac >"$folder/init"
    [ -z "$1" ] || printf '%s\n' "$1" >"$folder/command"
    printf 'export TERM=%q LAB_ROWS=%q LAB_COLUMNS=%q LAB_ACCEL=%q LAB_FLAVOUR=%q LAB_LIMIT=%q\n' "${TERM:-dumb}" "$(tput lines 2>/dev/null || echo 24)" \
        "$(tput cols 2>/dev/null || echo 80)" "$accel" "$flavour" "$limit" >"$folder/environment"
}

# share TAG FOLDER PATH-IN-GUEST [ro]
share() {
    line+=(-virtfs "local,path=$2,mount_tag=$1,security_model=none,multidevs=remap${4:+,readonly=on}")
    local options=rw,cache=none
    [ -z "${4:-}" ] || options=ro,cache=loose
    echo "$1 $3 $options" >>"$folder/shares"
}

add_shares() {
    local one number=0
    line+=(-virtfs "local,path=$folder,mount_tag=lab,security_model=none")
    : >"$folder/shares"
    share repo "$top" /repo ro
    [ -z "$out" ] || share out "$out" /out
    for one in "${shares[@]}"; do
        [[ $one == *:/* ]] || die "--share takes FOLDER:/PATH-IN-GUEST, not '$one'"
        [ -d "${one%%:*}" ] || die "--share: ${one%%:*} is no folder"
        number=$((number + 1))
        share "share$number" "$(existing "${one%%:*}")" "${one#*:}"
    done
}

# add_channels COMMAND: the kernel's console is a file; a command's output comes through two ports, a shell has a console
add_channels() {
    line+=(-chardev "file,id=console,path=$folder/console" -serial chardev:console -device virtio-serial-pci)
    if [ -n "$1" ]; then
        line+=(-chardev "file,id=out,path=/dev/fd/5,append=on" -device "virtserialport,chardev=out,name=lab.out"
            -chardev "file,id=err,path=/dev/fd/6,append=on" -device "virtserialport,chardev=err,name=lab.err")
    else
        line+=(-chardev "stdio,id=shell,signal=off" -device "virtconsole,chardev=shell")
    fi
}

# start_guest COMMAND: until it powers off, or a limit is reached: $folder/limit then says which. A shell has no limit.
start_guest() {
    local watch
    # QEMU opens a channel by its path, which a pipe allows and a socket does not
    exec 5> >(exec cat) 6> >(exec cat >&2)
    "${line[@]}" <&0 >&2 &
    guest=$!
    watch_guest "$1" >/dev/null 5>&- 6>&- &
    watch=$!
    [ -z "$verbose" ] || { touch "$folder/console"; tail -f --pid=$guest "$folder/console" >&2 & }
    # bash tells of a killed guest; this script does it better
    { wait $guest || true; } 2>/dev/null
    guest=''
    kill "$watch" 2>/dev/null || true
    wait "$watch" 2>/dev/null || true
    exec 5>&- 6>&-
    wait
}
watch_guest() {
    local start=$SECONDS
    while [ ! -e "$folder/booted" ]; do
        sleep 0.2
        # a lab that is killed leaves this loop, and its guest's number goes to another process
        kill -0 $guest 2>/dev/null || return 0
        [ $((SECONDS - start)) -lt "$boot_limit" ] || { echo "the guest did not boot in $boot_limit s" >"$folder/limit"; kill -KILL $guest; return; }
    done
    [ -n "$1" ] || return 0
    start=$SECONDS
    while [ ! -e "$folder/exit" ]; do
        sleep 0.5
        kill -0 $guest 2>/dev/null || return 0
        [ $((SECONDS - start)) -lt "$limit" ] || { echo "the command took longer than $limit s (--timeout)" >"$folder/limit"; kill -KILL $guest; return; }
    done
    # told its exit code, but does not power off
    for _ in {1..40}; do sleep 0.5; done
    kill -KILL $guest
}

# explain: why there is no exit code, with the console's last lines; prints the lab's own code for it
explain() {
    local code=125
    if [ -e "$folder/limit" ]; then
        say "$(cat "$folder/limit")"
        code=124
    elif [ -e "$folder/error" ]; then
        say "the guest says: $(cat "$folder/error")"
    elif [ -e "$folder/booted" ]; then
        say "the guest ended without an exit code: it crashed or was powered off by the command"
    else
        say "the guest ended before it was up: QEMU's or the console's words tell why"
    fi
    local kept=$cache/last-console.log
    cp "$folder/console" "$kept" 2>/dev/null && { say "the console's last lines ($kept):"; tail -n 40 "$kept" >&2; }
    echo $code
}

end_session() {
    [ -z "${guest:-}" ] || kill -KILL "$guest" 2>/dev/null || true
    rm -rf --one-file-system "$folder"
}
