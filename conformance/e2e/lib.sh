# shellcheck shell=bash
# A tiny harness for end-to-end tests: TAP on standard output, a closing line of counts, and the rule that a test that can't run
# here is a counted skip with its reason.
#
# A suite sources this file, sets things up, calls `t NAME FUNCTION` for each test and ends with `finish`. A test is a function
# run in a subshell with -e: it passes if it returns 0, is skipped if it calls `skip REASON`, and fails otherwise.

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
top=$(cd "$here/../.." && pwd)
export RUNTIME=${RUNTIME:-$top/target/$(rustc -vV | sed -n 's/^host: //p')/release/rtrun}
RUNTIME=$(command -v "$RUNTIME") || { echo "no runtime: build it, or set RUNTIME=/path" >&2; exit 1; }
RUNTIME=$(readlink -f "$RUNTIME")
runtime_name=$(basename "$RUNTIME")
