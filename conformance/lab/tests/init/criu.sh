# shellcheck shell=bash disable=SC2154
# Checkpoint and restore of real processes.

# counting: a container that counts into /dev/shm/count
counting() {
    criu check >"$work/criu" 2>&1 || skip "criu check: $(tail -n 1 "$work/criu")"
    bundle counting
    script 'i=0; while :; do i=$((i+1)); echo $i >/dev/shm/count; sleep 0.1; done'
    background counting
    counts() { [ "$(count)" -ge 3 ]; }
    eventually 30 counts
}
count() { rt exec counting cat /dev/shm/count 2>/dev/null || echo 0; }

test_checkpoint_and_restore() {
    counting
    local before
    before=$(count)
    rt checkpoint --image-path "$work/images" counting || { grep Error "$work/images/dump.log"; return 1; }
    exits 1 rt state counting 2>/dev/null
    equal "cgroups left" "" "$(find /sys/fs/cgroup -name counting)"
    rt restore --detach --bundle "$bundle" --image-path "$work/images" --pid-file "$work/restored" counting </dev/null >"$work/restored.out" 2>&1 \
        || { cat "$work/restored.out"; grep Error "$work/images/restore.log"; return 1; }
    status_is counting running
    equal pid "$(cat "$work/restored")" "$(rt state counting | jq .pid)"
    [ "$(count)" -ge "$before" ]
    on() { [ "$(count)" -gt $((before + 3)) ]; }
    eventually 30 on
    contains cgroup counting "$(cat "/proc/$(cat "$work/restored")/cgroup")"
    rt kill counting KILL
    eventually 10 status_is counting stopped
    rt delete counting
}

test_checkpoint_that_leaves_it_running() {
    counting
    rt checkpoint --leave-running --image-path "$work/left" counting
    status_is counting running
    local before
    before=$(count)
    on() { [ "$(count)" -gt "$before" ]; }
    eventually 30 on
}
