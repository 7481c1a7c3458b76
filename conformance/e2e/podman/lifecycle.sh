# shellcheck shell=bash
# A container's life under podman: run, exec, signals, pause, logs, exit codes.

test_run_prints_and_uses_this_runtime() {
    equal output hello "$(run $image echo hello)"
    background a
    equal runtime "$runtime_name" "$(podman inspect --format '{{.OCIRuntime}}' a)"
    equal "pid in state" "$(pid_of a)" "$("$RUNTIME" state "$(podman inspect --format '{{.Id}}' a)" | jq .pid)"
}

test_exit_codes() {
    exits 0 run $image true
    exits 7 run $image sh -c 'exit 7'
    exits 126 run $image /bin/not-executable
    exits 126 run $image /etc
    exits 127 run $image /no/such/file
    exits 127 run $image no-such-program
    exits 137 run --pid host $image sh -c 'kill -KILL $$'
    exits 143 run --init $image sh -c 'kill -TERM $$; sleep 5'
}

test_a_failed_start_leaves_nothing() {
    local mounts before
    run $image true
    before=$(runtime_containers)
    mounts=$(wc -l </proc/self/mountinfo)
    exits 127 run $image /no/such/file
    equal "podman ps" "" "$(podman ps --all --quiet)"
    equal "the runtime's list" "$before" "$(runtime_containers)"
    equal mounts "$mounts" "$(wc -l </proc/self/mountinfo)"
}

test_standard_input_and_both_outputs() {
    equal stdin abc "$(echo abc | run -i $image cat)"
    equal stderr err "$(run $image sh -c 'echo out; echo err >&2' 2>&1 >/dev/null)"
    equal "a megabyte" 1048576 "$(head -c 1048576 /dev/zero | run -i $image cat | wc -c)"
}

test_run_in_a_terminal() {
    contains tty /dev/pts/0 "$(in_terminal "podman run --rm --network none -it $image tty")"
    contains "exit code" "code 5" "$(in_terminal "podman run --rm --network none -it $image sh -c 'exit 5'; echo code \$?")"
    contains size "40 100" "$(in_terminal "stty rows 40 cols 100; podman run --rm --network none -it $image sh -c 'sleep 0.5; stty size'")"
}

test_exec() {
    background a --env FROM=run
    equal output hi "$(podman exec a echo hi)"
    equal environment "run exec" "$(podman exec --env ALSO=exec a sh -c 'echo $FROM $ALSO')"
    equal directory /tmp "$(podman exec --workdir /tmp a pwd)"
    equal user "1000 1000" "$(podman exec --user user a sh -c 'echo $(id -u) $(id -g)')"
    equal stdin x "$(echo x | podman exec -i a cat)"
    exits 9 podman exec a sh -c 'exit 9'
    exits 127 podman exec a no-such-program
    exits 126 podman exec a /etc
    podman exec --detach a touch /tmp/made
    eventually 5 podman exec a test -e /tmp/made
    equal "first process" pause "$(podman exec a cat /proc/1/comm)"
}

test_exec_in_a_terminal() {
    background a
    contains tty /dev/pts/ "$(in_terminal "podman exec -it a tty")"
    contains "exit code" "code 3" "$(in_terminal "podman exec -it a sh -c 'exit 3'; echo code \$?")"
}

test_exec_is_confined_as_the_container() {
    local of='grep -E "^(Seccomp|NoNewPrivs|CapBnd|CapEff):" /proc/self/status; cat /proc/self/cgroup | sort; readlink /proc/self/ns/*'
    background a --security-opt no-new-privileges --cap-drop all
    podman run --detach --network none --name b --security-opt no-new-privileges --cap-drop all $image sh -c "{ $of; } >/tmp/of; pause" >/dev/null
    eventually 5 podman exec b test -s /tmp/of
    equal confinement "$(podman exec b cat /tmp/of)" "$(podman exec b sh -c "$of")"
}

test_stop_sends_term_then_kill() {
    background a
    podman stop --time 10 a >/dev/null
    equal "exit code of one that listens" 0 "$(podman inspect --format '{{.State.ExitCode}}' a)"
    podman run --detach --network none --name b $image sh -c 'trap "" TERM; while :; do sleep 1; done' >/dev/null
    sleep 0.3
    podman stop --time 1 b >/dev/null 2>&1
    equal "exit code of one that does not" 137 "$(podman inspect --format '{{.State.ExitCode}}' b)"
}

test_kill_delivers_the_signal() {
    podman run --detach --network none --name a $image sh -c 'trap "echo got usr1; exit 4" USR1; while :; do sleep 0.1; done' >/dev/null
    sleep 0.3
    podman kill --signal USR1 a >/dev/null
    equal "exit code" 4 "$(podman wait a)"
    equal output "got usr1" "$(podman logs a)"
    background b
    podman kill b >/dev/null
    equal "exit code" 137 "$(podman wait b)"
    exits 125 podman kill b
}

test_a_foreground_run_passes_signals_on() {
    podman run --network none --name a $image sh -c 'trap "exit 6" TERM; while :; do sleep 0.1; done' &
    local client=$! code=0
    eventually 10 has_status a running
    sleep 0.3
    kill -TERM $client
    wait $client || code=$?
    equal "exit code" 6 $code
}

test_pause_and_unpause() {
    podman run --detach --network none --name a $image sh -c 'while :; do echo tick; sleep 0.05; done' >/dev/null
    eventually 5 has_status a running
    podman pause a >/dev/null
    equal status paused "$(status_of a)"
    local lines
    lines=$(podman logs a | wc -l)
    sleep 0.5
    equal "lines while paused" "$lines" "$(podman logs a | wc -l)"
    exits 255 podman exec a true || exits 125 podman exec a true
    podman unpause a >/dev/null
    equal status running "$(status_of a)"
    sleep 0.5
    [ "$(podman logs a | wc -l)" -gt "$lines" ]
}

test_ps_inspect_top_and_logs() {
    podman run --detach --network none --name a $image sh -c 'echo one; echo two >&2; exec pause' >/dev/null
    eventually 5 sh -c 'podman logs a 2>/dev/null | grep -q one'
    equal logs "one two" "$(podman logs a 2>&1 | sort | xargs)"
    contains ps a "$(podman ps --format '{{.Names}} {{.Status}}')"
    contains ps Up "$(podman ps --format '{{.Names}} {{.Status}}')"
    contains top pause "$(podman top a args)"
    contains top "1" "$(podman top a pid)"
    equal running true "$(podman inspect --format '{{.State.Running}}' a)"
}

test_stats() {
    background a --memory 64m
    local json
    json=$(podman stats --no-stream --format json a)
    equal name a "$(jq -r '.[0].name' <<<"$json")"
    [ "$(jq -r '.[0].pids' <<<"$json")" -ge 1 ]
    contains memory "67.11MB" "$(jq -r '.[0].mem_usage' <<<"$json")"
}

test_healthcheck() {
    background a --health-cmd 'test -e /tmp/healthy' --health-interval disable --health-retries 1
    exits 1 podman healthcheck run a
    podman exec a touch /tmp/healthy
    exits 0 podman healthcheck run a
    equal health healthy "$(podman inspect --format '{{.State.Healthcheck.Status}}' a)"
}

test_restart_policy() {
    podman run --detach --network none --name a --restart on-failure:2 $image sh -c 'exit 3' >/dev/null
    restarted() { [ "$(podman inspect --format '{{.RestartCount}} {{.State.Status}}' a)" = "2 exited" ]; }
    eventually 20 restarted
    equal "exit code" 3 "$(podman inspect --format '{{.State.ExitCode}}' a)"
}

test_stop_and_start_again() {
    background a
    local first
    first=$(pid_of a)
    podman stop --time 5 a >/dev/null
    podman start a >/dev/null
    equal status running "$(status_of a)"
    [ "$(pid_of a)" != "$first" ]
    podman restart --time 5 a >/dev/null
    equal output hi "$(podman exec a echo hi)"
}

test_create_then_start_attached() {
    podman create --network none --name a $image sh -c 'echo started; exit 2' >/dev/null
    equal status created "$(status_of a)"
    equal output started "$(podman start --attach a || true)"
    equal "exit code" 2 "$(podman wait a)"
}

test_init_reaps_and_forwards() {
    [ -x /usr/libexec/podman/catatonit ] || [ -x /usr/bin/catatonit ] || skip "no catatonit here (podman's --init)"
    run --init --init-path "$(command -v catatonit)" $image sh -c 'cat /proc/1/comm' | grep -q -E 'catatonit|podman-init'
}

test_twenty_at_once() {
    local number pids=()
    for number in $(seq 20); do
        run --name many-"$number" $image sh -c "echo $number" >"$work/many-$number" &
        pids+=($!)
    done
    for number in "${pids[@]}"; do wait "$number"; done
    for number in $(seq 20); do equal "output $number" "$number" "$(cat "$work/many-$number")"; done
    equal "podman ps" "" "$(podman ps --all --quiet)"
}

test_run_of_a_very_short_process_never_hangs() {
    for _ in $(seq 20); do exits 0 timeout 20 podman run --rm --network none $image true; done
}

test_annotations_reach_the_state() {
    background a --annotation org.example.key=value
    equal annotation value "$("$RUNTIME" state "$(podman inspect --format '{{.Id}}' a)" | jq -r '.annotations["org.example.key"]')"
}

test_hooks_get_the_state() {
    mkdir -p "$work/hooks"
    printf '#!/bin/sh\ncat >>%s/hook-$1\n' "$work" >"$work/hook"
    chmod 755 "$work/hook"
    local stage
    for stage in createRuntime poststop prestart poststart; do
        jq -n --arg stage "$stage" --arg path "$work/hook" '{ version: "1.0.0", hook: { path: $path, args: ["hook", $stage] },
            when: { always: true }, stages: [$stage] }' >"$work/hooks/$stage.json"
    done
    podman --hooks-dir "$work/hooks" run --rm --network none $image true
    for stage in createRuntime prestart poststart poststop; do
        [ "$(jq -r .id "$work/hook-$stage" | wc -c)" -gt 32 ] || { echo "no state for the $stage hook"; return 1; }
    done
    equal "status at poststop" stopped "$(jq -r .status "$work/hook-poststop")"
}

test_preserved_descriptors() {
    echo preserved >"$work/file"
    equal run preserved "$(run --preserve-fds 1 $image sh -c 'cat <&3' 3<"$work/file")"
    background a
    equal exec preserved "$(podman exec --preserve-fds 1 a sh -c 'cat <&3' 3<"$work/file")"
}

test_checkpoint_works_or_is_refused_by_name() {
    background a
    if ! criu check >"$work/criu" 2>&1; then
        exits 125 podman container checkpoint a 2>"$work/refusal"
        [ -s "$work/refusal" ]
        equal "status after the refusal" running "$(status_of a)"
        skip "criu check: $(tail -n 1 "$work/criu"); podman said: $(tail -n 1 "$work/refusal")"
    fi
    podman container checkpoint a
    equal status exited "$(status_of a)"
    podman container restore a
    equal status running "$(status_of a)"
}
