# shellcheck shell=bash disable=SC2154
# `lab test`: each folder of tests/ is one session of a guest; what it prints is TAP, and the last line adds all up.

# one_session [PATTERN…]: $session in a guest of its own, what it prints also in $output
one_session() {
    rm -f "$cache/last-console.log"
    "$lab/lab" "${given[@]}" "${arguments[@]}" --timeout "$limit" run \
        "$(printf '%q ' /repo/conformance/lab/tests/run "$session" $short "$@")" | tee "$output"
}

# lab_test [--short] [PATTERN…]
lab_test() {
    local short='' session folder status=0 code log output arguments
    [ "${1:-}" != --short ] || { short=--short; shift; }
    build_images
    log=$(mktemp)
    output=$(mktemp)
    for folder in "$lab"/tests/*/; do
        session=$(basename "$folder")
        # what the session's guest needs, as options of this command
        arguments=()
        [ ! -e "$folder/options" ] || mapfile -t arguments < <(sed 's/#.*//' "$folder/options" | xargs -rn 1)
        printf '# session %s: lab %s\n' "$session" "${arguments[*]}"
        code=0
        one_session "$@" || code=$?
        if [ $code = 125 ] && accel=tcg translation_crashed "$cache/last-console.log"; then
            echo "# QEMU's translation crashed the guest's kernel: the session is run again"
            code=0
            one_session "$@" || code=$?
        fi
        cat "$output" >>"$log"
        [ $code -le 1 ] || { echo "not ok - session $session ended with $code" | tee -a "$log"; echo '# 0 passed, 1 failed, 0 skipped' >>"$log"; }
        [ $code -eq 0 ] || status=1
    done
    awk '/^# [0-9]+ passed, [0-9]+ failed, [0-9]+ skipped$/ { p += $2; f += $4; s += $6 }
        END { printf "%d passed, %d failed, %d skipped\n", p, f, s }' "$log"
    rm -f "$log" "$output"
    return $status
}
