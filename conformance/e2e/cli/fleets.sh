# shellcheck shell=bash disable=SC2154
# Fleets: order, the common start, aggregated logs, health, and what systemd and Kubernetes run them by.

# fleet LINES: a fleet file of two agents, with more lines for the second
fleet() {
    cat >fleet.toml <<TOML
name = "duo"
start = "+1s"

[defaults]
app = "./tell-static"

[[agent]]
name = "second"
after = ["first"]
params = "0 two"
$1

[[agent]]
name = "first"
params = "0 one"
TOML
}

test_a_fleet_starts_in_order_with_one_start_and_ends_with_its_agents() {
    fleet ""
    local out
    out=$(cli up fleet.toml)
    contains "first's line" "first | arg one" "$out"
    contains "second's line" "second | arg two" "$out"
    equal "starts" 1 "$(grep -o 'RTRUN_PARAM_T0=.*' <<<"$out" | sort -u | wc -l)"
    equal agents "[]" "$(cli ps --json)"
}

test_a_fleet_exits_as_its_first_failing_agent() {
    fleet ""
    sed -i 's/"0 two"/"5 two"/' fleet.toml
    exits 5 cli up fleet.toml >/dev/null
}

test_a_signal_ends_the_whole_fleet() {
    fleet ""
    sed -i 's/"0 \(one\|two\)"/"wait"/' fleet.toml
    "$CLI" up fleet.toml >out 2>&1 &
    local up=$!
    eventually 5 bash -c '[ $(grep -c "arg wait" out) = 2 ]'
    sleep 0.2 # from the last line to the signal's handler
    kill -TERM $up
    exits 3 wait $up
    equal agents "[]" "$(cli ps --json)"
}

test_a_silent_agent_is_killed_and_started_again() {
    fleet 'restart = "on-failure:1"
health = { heartbeat = "300ms", every = "100ms" }'
    sed -i 's/"0 two"/"wait"/' fleet.toml
    exits 137 cli up fleet.toml >out 2>&1
    equal kills 2 "$(grep -c 'second: no heartbeat' out)"
}

test_a_fleet_that_can_not_start_leaves_nothing() {
    fleet ""
    sed -i 's/"0 two"/"wait"/; s/^name = "first"/&\nmem = "900g"/' fleet.toml
    exits 1 cli up fleet.toml 2>&1 | grep -q "this machine has"
    equal agents "[]" "$(cli ps --json)"
}

test_systemd_accepts_the_units() {
    fleet 'cpus = "auto"
health = { heartbeat = "2s" }'
    cli up fleet.toml --systemd units
    contains type "Type=notify" "$(cat units/duo-second.service)"
    contains watchdog "WatchdogSec=2000ms" "$(cat units/duo-second.service)"
    contains order "After=duo-first.service" "$(cat units/duo-second.service)"
    command -v systemd-analyze >/dev/null || skip "no systemd-analyze to verify them"
    systemd-analyze verify "$work"/units/duo.target "$work"/units/*.service
}

test_podman_plays_the_manifest() {
    command -v podman >/dev/null || skip "no podman"
    fleet ""
    exits 1 cli up fleet.toml --kube 2>&1 | grep -q "has no image"
    sed -i 's/^app = .*/&\nimage = "localhost\/fleet:e2e"\nsched = "SCHED_FIFO"/' fleet.toml
    cli up fleet.toml --kube >pod.json
    equal class rtrun "$(jq -r .spec.runtimeClassName pod.json)"
    equal policy SCHED_FIFO "$(jq -r '.metadata.annotations["org.rtrun.sched.policy/first"]' pod.json)"
}
