#!/bin/bash
# rt-container-cli on programs, folders, archives and images: real ones, built here, images by podman.
# usage: [RUNTIME=/path] [CLI=/path] conformance/e2e/cli.sh [PATTERN…]
. "$(dirname "$0")/lib.sh"
CLI=${CLI:-$(dirname "$RUNTIME")/rt-container-cli}
CLI=$(readlink -f "$CLI")
[ -x "$CLI" ] || skip_all "no rt-container-cli beside the runtime: make build"
command -v gcc >/dev/null || skip_all "no gcc"
# api.sh checks the OpenAPI document with it; installed here, because the suite's own network reaches nobody
export schemathesis=${SCHEMATHESIS:-${XDG_CACHE_HOME:-$HOME/.cache}/rtrun/schemathesis/bin/schemathesis}
[ -x "$schemathesis" ] || { python3 -m venv "${schemathesis%/bin/*}" && "${schemathesis%/*}/pip" install --quiet schemathesis==4.32.5; } >/dev/null 2>&1
private_namespaces "$@"

export RT_CONTAINER_RUNTIME=$RUNTIME
# unpacked images of this suite alone
mkdir -p "$work/cache" /var/cache/rt-container-cli
mount --bind "$work/cache" /var/cache/rt-container-cli
after_each() { cli ps --json | jq -r '.[].name' | xargs -r "$CLI" rm --force; }
end_suite() {
    after_each >/dev/null 2>&1
    find /sys/fs/cgroup -depth -type d -path '*/rt-container-cli*' -exec rmdir {} + 2>/dev/null
    umount /var/cache/rt-container-cli
    clean_work
}
trap end_suite EXIT
cli() { "$CLI" "$@"; }

cat >"$work/tell.c" <<'C'
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
extern char **environ;
static void ended(int signal) { _exit(signal == SIGTERM ? 3 : 4); }
int main(int argc, char **argv) {
    for (int i = 0; i < argc; i++) printf("arg %s\n", argv[i]);
    for (char **e = environ; *e; e++) printf("env %s\n", *e);
    fflush(stdout);
    if (argc > 1 && !strcmp(argv[1], "wait")) { signal(SIGTERM, ended); for (;;) pause(); }
    return argc > 1 ? atoi(argv[1]) : 0;
}
C
gcc -o "$work/tell" "$work/tell.c" && gcc -static -o "$work/tell-static" "$work/tell.c" || skip_all "gcc can't build a program"
export last_cpu
last_cpu=$(sed 's/.*[-,]//' /sys/devices/system/cpu/online)

. "$here/cli/programs.sh"
. "$here/cli/images.sh"
. "$here/cli/fleets.sh"
. "$here/cli/api.sh"
run_tests "$here/cli/programs.sh" "$here/cli/images.sh" "$here/cli/fleets.sh" "$here/cli/api.sh"
