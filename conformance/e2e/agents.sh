#!/bin/bash
# The Game of Life over network namespaces, as four containers of $RUNTIME and as one: the hashes of the regions add up to the
# whole board's, with a network that loses, repeats, reorders and damages.
# usage: [RUNTIME=/path] [GOL_AGENT=/path] conformance/e2e/agents.sh [PATTERN…]
. "$(dirname "$0")/lib.sh"
GOL_AGENT=${GOL_AGENT:-$top/target/$(rustc -vV | sed -n 's/^host: //p')/release/gol-agent}
export GOL_AGENT
[ -x "$GOL_AGENT" ] || skip_all "no gol-agent: run make build, or set GOL_AGENT=/path/to/gol-agent"
private_namespaces "$@"

after_each() {
    local n
    # Each pair by its own end: with a namespace alone it goes only when the kernel gets round to it.
    for n in 0 0-1 0-2 0-3 0-4; do ip link delete gol$n; done
    ip -all netns delete
    runtime_containers | xargs -r -n1 "$RUNTIME" delete --force
    rm -rf "$work"/out.* "$work"/bundle.*
}
end_suite() {
    after_each >/dev/null 2>&1
    clean_work
}
trap end_suite EXIT
for file in "$here"/agents/*.sh; do
    # shellcheck source=/dev/null
    . "$file"
done
run_tests "$here"/agents/*.sh
