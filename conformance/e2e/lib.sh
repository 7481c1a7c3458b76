# shellcheck shell=bash disable=SC2034
# A tiny harness for end-to-end tests: TAP on standard output, a closing line of counts, and the rule that a test that this
# machine can't run is a counted skip with its reason.
#
# A suite sources this file, calls `private_namespaces "$@"`, sets its programs up and ends with `run_tests FILE…`. A test is a
# function `test_…` of those files. It runs in a subshell under `set -e`: it passes if it returns 0, is skipped if it calls
# `skip REASON`, and fails otherwise or when it takes longer than $TEST_SECONDS.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
TEST_SECONDS=${TEST_SECONDS:-90}

RUNTIME=${RUNTIME:-$top/target/$(rustc -vV | sed -n 's/^host: //p')/release/rtrun}
RUNTIME=$(command -v "$RUNTIME") || { echo "no runtime: run make build, or set RUNTIME=/path/to/runtime" >&2; exit 1; }
RUNTIME=$(readlink -f "$RUNTIME")
export RUNTIME
runtime_name=$(basename "$RUNTIME")

# skip_all REASON: the whole suite can't run here
skip_all() {
    echo "skip - $(basename "$0"): $1"
    echo "0 passed, 0 failed, 1 skipped"
    exit 0
}

# private_namespaces ARGUMENTS…: starts the suite again in a network namespace and a mount namespace of its own, with an empty
# /run: bridges, firewall rules, mounts, sockets and the runtime's default state directory are the suite's own, and go with it.
private_namespaces() {
    if [ -z "${E2E_PRIVATE:-}" ]; then
        [ "$(id -u)" = 0 ] || skip_all "needs root"
        unshare --net --mount true 2>/dev/null || skip_all "this machine does not allow new namespaces"
        E2E_PRIVATE=1 exec unshare --net --mount --propagation slave "$0" "$@"
    fi
    mount --make-rshared /
    mount -t tmpfs -o mode=755 tmpfs /run
    private_cgroup_folder
    ip link set lo up
    work=$(mktemp -d "/var/tmp/e2e-$runtime_name.XXXXXX")
    filter=("$@")
    cd "$work" || exit 1
}

# private_cgroup_folder: on v1, a /sys/fs/cgroup of the suite's own with every hierarchy in it, also one that exists and that nobody
# has mounted, which confuses containerd. What podman makes there for a hierarchy that does not exist goes with the namespace.
private_cgroup_folder() {
    [ "$(stat -fc %T /sys/fs/cgroup)" = tmpfs ] || return 0
    local new=/run/cgroup hierarchy name
    mkdir $new
    mount -t tmpfs -o mode=755 tmpfs $new
    for hierarchy in /sys/fs/cgroup/*; do
        name=${hierarchy##*/}
        if [ -L "$hierarchy" ]; then
            cp -P "$hierarchy" $new/
        elif mountpoint -q "$hierarchy"; then
            mkdir "$new/$name"
            mount --bind "$hierarchy" "$new/$name"
        fi
    done
    for name in $(sed -n 's/^[1-9][0-9]*:\([a-z_,]*\):.*/\1/p' /proc/self/cgroup); do
        [ ! -e "$new/$name" ] && mkdir "$new/$name" && mount -t cgroup -o "$name" cgroup "$new/$name"
    done
    mount --make-rprivate $new
    mount --rbind $new /sys/fs/cgroup
    umount -R $new
}

# clean_work: what a suite's exit trap ends with; the test's mounts are lazily undone, as the namespace would do
clean_work() {
    cd /
    awk -v dir="$work/" 'index($5, dir) == 1 { print $5 }' /proc/self/mountinfo | sort -r | xargs -r -n1 umount -l 2>/dev/null
    rm -rf "$work"
}

# ── what a test says ──────────────────────────────────────────────────────────────────────────────────────────────────────────

# skip REASON
skip() {
    echo "$1" >"$work/skip"
    exit 77
}

# equal WHAT WANTED FOUND
equal() {
    [ "$2" = "$3" ] && return
    printf '%s: wanted "%s", found "%s"\n' "$1" "$2" "$3"
    return 1
}

# contains WHAT NEEDLE HAYSTACK
contains() {
    [[ $3 == *"$2"* ]] && return
    printf '%s: wanted "%s" in "%s"\n' "$1" "$2" "$3"
    return 1
}

# exits CODE COMMAND…: the command's output goes to standard output
exits() {
    local wanted=$1 code=0
    shift
    "$@" || code=$?
    [ "$code" = "$wanted" ] && return
    printf '%s: wanted exit code %s, found %s\n' "$*" "$wanted" "$code"
    return 1
}

# eventually SECONDS COMMAND…: the command succeeds within that time
eventually() {
    local end=$((SECONDS + $1))
    shift
    until "$@"; do
        [ $SECONDS -lt $end ] || { echo "not in time: $*"; return 1; }
        sleep 0.1
    done
}

# in_terminal COMMAND: what a shell command prints on a terminal of its own, without carriage returns; its input stays open, as
# an end of file at once would end the session before the command has answered
in_terminal() {
    [ -p "$work/never" ] || mkfifo "$work/never"
    script -qec "$1" /dev/null <>"$work/never" | tr -d '\r'
}

# cgroup_value PID CONTROLLER FILE-ON-V1 FILE-ON-V2: a value of the process's cgroup
cgroup_value() {
    local path root=/sys/fs/cgroup
    path=$(awk -F: -v want="$2" '$2 ~ "(^|,)" want "(,|$)" { print $3 }' "/proc/$1/cgroup")
    if [ -n "$path" ]; then
        cat "$root/$2$path/$3"
    else
        cat "$root$(sed -n 's/^0:://p' "/proc/$1/cgroup")/$4"
    fi
}

cgroup_v2() { [ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ]; }

# status_field PID FIELD: a line of /proc/PID/status
status_field() { awk -v field="$2:" '$1 == field { $1 = ""; print substr($0, 2) }' "/proc/$1/status"; }

# runtime_containers: the ids in the runtime's default state directory
runtime_containers() { "$RUNTIME" list -q 2>/dev/null | sort; }

# ── the runner ────────────────────────────────────────────────────────────────────────────────────────────────────────────────

# selected TEST: no pattern on the command line, or one that the name has in it
selected() {
    [ ${#filter[@]} -eq 0 ] && return
    local pattern
    for pattern in "${filter[@]}"; do [[ $1 == *$pattern* ]] && return; done
    return 1
}

# run_one TEST: 0 passed, 77 skipped, else failed; killed with its process group when it takes too long
run_one() {
    local pid code watch
    rm -f "$work/skip"
    set -m
    ( set +m; set -euo pipefail; "$1" ) >"$work/output" 2>&1 </dev/null &
    pid=$!
    ( set +m; sleep "$TEST_SECONDS"; echo "took longer than $TEST_SECONDS s" >>"$work/output"; kill -KILL -- "-$pid" ) &
    watch=$!
    set +m
    wait "$pid"
    code=$?
    kill -KILL -- "-$watch" 2>/dev/null
    wait "$watch" 2>/dev/null
    return $code
}

# run_tests FILE…: every test of these files in the order in which they are written
run_tests() {
    local test name number=0 passed=0 failed=0 skipped=0 start
    for test in $(sed -n 's/^\(test_[a-z0-9_]*\)().*/\1/p' "$@"); do
        selected "$test" || continue
        name=${test#test_}
        name=${name//_/ }
        number=$((number + 1))
        start=${EPOCHREALTIME/./}
        run_one "$test" 2>/dev/null
        case $? in
            0) passed=$((passed + 1)); echo "ok $number - $name ($(((${EPOCHREALTIME/./} - start) / 1000)) ms)" ;;
            77) skipped=$((skipped + 1)); echo "ok $number - $name # skip $(cat "$work/skip" 2>/dev/null)" ;;
            *) failed=$((failed + 1)); echo "not ok $number - $name"; sed 's/^/#   /' "$work/output" ;;
        esac
        declare -F after_each >/dev/null && after_each >/dev/null 2>&1
    done
    echo "$passed passed, $failed failed, $skipped skipped"
    [ $failed -eq 0 ]
}
