# shellcheck shell=bash disable=SC2154
# Tests of gol-agent; sourced by agents.sh.

# What all runs compute: a board of 200x160 cells, of random ones.
board="pattern=random:42 generations=200 check=40"
whole="board=1x1 cells=200x160 $board"
parts="board=2x2 cells=100x80 halo=4 report=0 lock=false retry=2ms $board"
faults="faults=loss:0.05,duplicate:0.05,reorder:0.05,corrupt:0.03,seed:3"

# sums FILE…: the check lines of all regions as "generation population hash", added up (modulo 2^64), one a generation
sums() {
    cat "$@" | python3 -c '
import re, sys
sums = {}
for line in sys.stdin:
    found = re.match(r"check region=\w+ generation=(\d+) population=(\d+) hash=(\w+) exact$", line)
    if line.startswith("check") and not found:
        sys.exit("not exact: " + line)
    if found:
        population, hash = sums.get(int(found[1]), (0, 0))
        sums[int(found[1])] = (population + int(found[2]), (hash + int(found[3], 16)) % 2**64)
for generation, (population, hash) in sorted(sums.items()):
    print(generation, population, f"{hash:016x}")'
}

# same_board FILE…: what the regions printed adds up to the board computed alone, six times
same_board() {
    local expected
    "$GOL_AGENT" reference "$whole" >"$work/whole"
    expected=$(sums "$work/whole")
    equal "checked generations" 6 "$(wc -l <<<"$expected")"
    equal "sums" "$expected" "$(sums "$@")"
}

# four_namespaces: gol1 to gol4, on a bridge, with 10.77.0.1 to .4
four_namespaces() {
    local n
    ip link add gol0 type bridge 2>/dev/null || skip "this kernel has no bridges"
    ip link set gol0 up
    for n in 1 2 3 4; do
        ip netns add gol$n
        ip link add gol0-$n type veth peer name eth0 netns gol$n
        ip link set gol0-$n master gol0 up
        ip -n gol$n addr add 10.77.0.$n/24 dev eth0
        ip -n gol$n link set eth0 up
    done
}

peers=peers=1=10.77.0.1,2=10.77.0.2,3=10.77.0.3,4=10.77.0.4

# over_namespaces WORDS…: the four regions, one a namespace
over_namespaces() {
    local n pids=() pid
    four_namespaces
    for n in 1 2 3 4; do
        ip netns exec gol$n "$GOL_AGENT" "$parts" region=$n period=0 "$@" >"$work/out.$n" &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do wait "$pid"; done
    same_board "$work"/out.*
}

test_udp_over_network_namespaces() { over_namespaces $peers transport=udp "$faults"; }

test_tcp_over_network_namespaces() { over_namespaces $peers transport=tcp "$faults"; }

test_multicast_over_network_namespaces() {
    local n pids=() pid
    four_namespaces
    for n in 1 2 3 4; do
        ip netns exec gol$n "$GOL_AGENT" "$parts" region=$n period=0 transport=multicast interface=10.77.0.$n "$faults" >"$work/out.$n" &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do wait "$pid"; done
    same_board "$work"/out.*
}

test_a_cut_cable_is_mended() {
    local n pids=() pid
    four_namespaces
    local start
    start=$(($(date +%s) + 2))
    for n in 1 2 3 4; do
        ip netns exec gol$n "$GOL_AGENT" "$parts" region=$n $peers period=10ms policy=stall t0=$start >"$work/out.$n" &
        pids+=($!)
    done
    while [ "$(date +%s)" -le "$start" ]; do sleep 0.1; done
    ip link set gol0-2 down
    sleep 0.3
    ip link set gol0-2 up
    for pid in "${pids[@]}"; do wait "$pid"; done
    same_board "$work"/out.*
}

# in_container NAME WORDS…: the agent as the only file of a container that shares this suite's network
in_container() {
    local bundle=$work/bundle.$1
    mkdir -p "$bundle/rootfs"
    cp "$GOL_AGENT" "$bundle/rootfs/gol-agent"
    jq --arg path "/e2e-agents-$1" '.process.args = ["/gol-agent"] + $ARGS.positional | .linux.cgroupsPath = $path' \
        "$top/bundles/templates/agent/config.json" --args "${@:2}" >"$bundle/config.json"
    "$RUNTIME" run --bundle "$bundle" "$1" >"$work/out.$1"
}

test_four_containers() {
    local n pids=() pid
    for n in 1 2 3 4; do
        in_container "gol$n" "$parts region=$n period=0" "$faults" &
        pids+=($!)
    done
    for pid in "${pids[@]}"; do wait "$pid"; done
    same_board "$work"/out.*
}

test_one_container() {
    in_container gol "$whole halo=8 period=0 report=0 lock=false"
    same_board "$work"/out.*
}
