# shellcheck shell=bash
# rtrun-hook, loaded by podman from hooks.d by annotation, under each runtime that is here: its work must not depend on which.

hook=$(command -v "${HOOK:-$(dirname "$RUNTIME")/rtrun-hook}" "$top/target/$(rustc -vV 2>/dev/null | sed -n 's/^host: //p')/release/rtrun-hook" | head -n 1)
hook_runtimes=("$RUNTIME")
for other in crun runc; do
    other=$(command -v $other) && [ "$(readlink -f "$other")" != "$RUNTIME" ] && hook_runtimes+=("$other")
done
mkdir -p "$work/hooks.d"
for file in "$top"/hooks/hooks.d/*.json; do
    jq --arg hook "$hook" '.hook.path = $hook' "$file" >"$work/hooks.d/$(basename "$file")"
done

# hooked RUNTIME ARGUMENTS…: podman with the hooks
hooked() { podman --hooks-dir "$work/hooks.d" --runtime "$@"; }
masks() { grep -s '' /proc/irq/default_smp_affinity /proc/irq/*/smp_affinity_list; }
# on_cpu_1: how many interrupts may be served there
on_cpu_1() { grep -lsE '(^|,)(1|0-[1-9][0-9]*)(,|-|$)' /proc/irq/*/smp_affinity_list | wc -l; }
masks_are() { [ "$(masks)" = "$1" ]; }
restore_before() { restore_masks "$before"; }
restore_masks() { while IFS=: read -r file mask; do echo "$mask" 2>/dev/null >"$file" || true; done <<<"$1"; }
# for_every_runtime: crun up to 1.27 refuses a hybrid layout whose v2 tree has controllers, so that it is shown none
for_every_runtime() {
    local controllers=/sys/fs/cgroup/unified/cgroup.controllers
    [ -n "$(cat $controllers 2>/dev/null)" ] || return 0
    mount --bind /dev/null $controllers
    undo+=("umount $controllers")
}
undo=()
undo_all() { for step in "${undo[@]}"; do $step; done; }
# alone_with_masks: nobody else's test changes masks meanwhile, and they are as before afterwards
alone_with_masks() {
    [ -n "$hook" ] || skip "no rtrun-hook: run make build"
    [ "$(nproc)" -ge 2 ] || skip "one CPU only: interrupts have nowhere to go"
    exec 8>"${TMPDIR:-/tmp}/rtrun-irq-masks.lock"
    flock 8
    before=$(masks)
    trap undo_all EXIT
    undo+=(restore_before)
    for_every_runtime
    restore_masks "$before"
    [ "$(on_cpu_1)" -gt 0 ] || skip "no interrupt here may be served on CPU 1"
}

test_hook_moves_interrupts_away_and_poststop_returns_them() {
    local runtime were
    alone_with_masks
    were=$(on_cpu_1)
    for runtime in "${hook_runtimes[@]}"; do
        hooked "$runtime" run --detach --network none --name quiet --cpuset-cpus 1 \
            --annotation org.rtrun.irq.affinity=housekeeping $image pause
        [ "$(on_cpu_1)" -lt "$were" ] || { echo "$runtime: all $were interrupts are still on CPU 1"; return 1; }
        equal "$runtime: owner" "$(pid_of quiet)" "$(jq '.entries[0].owner.pid' /run/rtrun/ledger/ledger.json)"
        hooked "$runtime" rm --force --time 0 quiet
        masks_are "$before" || { echo "$runtime: the masks are not as before"; diff <(echo "$before") <(masks); return 1; }
    done
}

test_hook_moves_interrupts_for_cri_os_annotation_too() {
    alone_with_masks
    hooked "${hook_runtimes[0]}" run --detach --network none --name quiet --cpuset-cpus 1 \
        --annotation irq-load-balancing.crio.io=disable $image pause
    [ "$(on_cpu_1)" -eq 0 ] || [ "$(on_cpu_1)" -lt "$(grep -c smp_affinity_list <<<"$before")" ]
    hooked "${hook_runtimes[0]}" rm --force --time 0 quiet
    masks_are "$before"
}

test_hook_puts_masks_back_after_a_kill() {
    local runtime
    alone_with_masks
    for runtime in "${hook_runtimes[@]}"; do
        hooked "$runtime" run --detach --network none --name quiet --cpuset-cpus 1 \
            --annotation org.rtrun.irq.affinity=housekeeping $image pause
        kill -KILL "$(pid_of quiet)"
        eventually 20 has_status quiet exited
        hooked "$runtime" rm --force --time 0 quiet
        masks_are "$before" || { echo "$runtime: the masks are not as before"; return 1; }
    done
}

test_hook_refuses_what_it_does_not_understand() {
    local runtime
    alone_with_masks
    for runtime in "${hook_runtimes[@]}"; do
        hooked "$runtime" run --rm --network none --cpuset-cpus 1 --annotation org.rtrun.irq.affinity=housekeping \
            $image true && { echo "$runtime: started"; return 1; }
        masks_are "$before"
        equal "$runtime: containers" "" "$(podman ps --all --quiet)"
    done
}

test_hook_works_as_prestart_for_old_callers() {
    local runtime
    alone_with_masks
    mkdir -p "$work/old.d"
    jq '.stages = ["prestart", "poststop"]' "$work/hooks.d/rtrun-irq-affinity.json" >"$work/old.d/irq.json"
    for runtime in "${hook_runtimes[@]}"; do
        podman --hooks-dir "$work/old.d" --runtime "$runtime" run --detach --network none --name quiet --cpuset-cpus 1 \
            --annotation org.rtrun.irq.affinity=housekeeping $image pause
        equal "$runtime: owner" "$(pid_of quiet)" "$(jq '.entries[0].owner.pid' /run/rtrun/ledger/ledger.json)"
        podman --hooks-dir "$work/old.d" --runtime "$runtime" rm --force --time 0 quiet
        masks_are "$before"
    done
}

test_hook_is_not_called_without_an_annotation() {
    alone_with_masks
    rm -rf /run/rtrun/ledger
    hooked "${hook_runtimes[0]}" run --rm --network none $image true
    [ ! -e /run/rtrun/ledger ]
}

# irqbalance_bans MASK: the daemon says that it bans these CPUs
irqbalance_bans() {
    python3 - "$1" <<'ASK'
import glob, os, socket, struct, sys
s = socket.socket(socket.AF_UNIX)
s.connect(glob.glob("/run/irqbalance/irqbalance*.sock")[0])
ids = struct.pack("3i", os.getpid(), 0, 0)
s.sendmsg([b"setup"], [(socket.SOL_SOCKET, socket.SCM_CREDENTIALS, ids)])
answer = s.recv(4096).decode().strip("\0").split("BANNED ")[1]
sys.exit(int(answer.replace(",", ""), 16) != int(sys.argv[1], 16))
ASK
}

# A real daemon before a /proc/irq of plain files: the machine's interrupts stay as they are.
test_hook_tells_irqbalance() {
    local files=$work/irq bundle=$work/bundle state
    command -v irqbalance >/dev/null || skip "no irqbalance here"
    alone_with_masks
    mkdir "$files" "$bundle" /run/irqbalance
    mount -t tmpfs tmpfs "$files"
    cp -r --no-preserve=all /proc/irq/. "$files" 2>/dev/null || true
    mount --bind "$files" /proc/irq
    irqbalance --foreground --interval=1 >/dev/null 2>&1 &
    daemons=($!)
    sleep 1000 &
    daemons+=($!)
    undo=(end_daemons "umount /proc/irq" "umount $files" "${undo[@]}")
    eventually 10 irqbalance_bans 0
    echo '{"annotations":{"org.rtrun.cpus":"1","org.rtrun.irq.affinity":"housekeeping"}}' >"$bundle/config.json"
    state='{"ociVersion":"1.0.2","id":"x","bundle":"'$bundle'"}'
    jq ".status = \"creating\" | .pid = ${daemons[1]}" <<<"$state" | "$hook" irq-affinity
    eventually 20 irqbalance_bans 2
    kill -KILL "${daemons[1]}"
    wait "${daemons[1]}" || true
    jq '.status = "stopped"' <<<"$state" | "$hook" irq-affinity
    eventually 20 irqbalance_bans 0
}

# chrony_pair: a server and a client that follows it, neither of which touches the system clock
chrony_pair() {
    [ -n "$hook" ] || skip "no rtrun-hook: run make build"
    command -v chronyd >/dev/null || skip "no chronyd here"
    local dir=$work/chrony
    mkdir -m 700 "$dir"
    printf 'cmdport 0\nbindcmdaddress %s\npidfile %s\nport 0\nserver 127.0.0.1 minpoll -2 maxpoll -2 iburst\n' \
        "$dir/client.sock" "$dir/client.pid" >"$dir/client.conf"
    printf 'cmdport 0\nbindcmdaddress %s\npidfile %s\nbindaddress 127.0.0.1\nallow 127.0.0.1\nlocal stratum 4\n' \
        "$dir/server.sock" "$dir/server.pid" >"$dir/server.conf"
    chronyd -x -d -u root -f "$dir/client.conf" >/dev/null 2>&1 &
    daemons=($!)
    trap undo_all EXIT
    undo+=(end_daemons)
    for_every_runtime
    eventually 20 test -S "$dir/client.sock"
}

end_daemons() { kill "${daemons[@]}"; }

test_hook_waits_for_the_clock() {
    local runtime clock
    chrony_pair
    clock=(--rm --network none --annotation org.rtrun.clock.require=locked
        --annotation org.rtrun.clock.source=chrony:"$work/chrony/client.sock")
    for runtime in "${hook_runtimes[@]}"; do
        hooked "$runtime" run "${clock[@]}" --annotation org.rtrun.clock.timeout=300ms $image true \
            && { echo "$runtime: started with a clock that nothing disciplines"; return 1; }
        hooked "$runtime" run "${clock[@]}" --annotation org.rtrun.clock.timeout=300ms \
            --annotation org.rtrun.clock.on-timeout=warn $image true
    done
    chronyd -x -d -u root -f "$work/chrony/server.conf" >/dev/null 2>&1 &
    daemons+=($!)
    for runtime in "${hook_runtimes[@]}"; do
        hooked "$runtime" run "${clock[@]}" $image true
    done
}
