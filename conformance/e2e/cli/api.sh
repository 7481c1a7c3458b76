# shellcheck shell=bash disable=SC2154
# The REST API: agents and fleets over the socket, the token over TCP, and the OpenAPI document against the handlers.

# api PATH [CURL-OPTION…]: the answer's body
api() { curl --silent --show-error --max-time 30 --unix-socket "$work/api.sock" "http://localhost$1" "${@:2}"; }
# status PATH [CURL-OPTION…]: the answer's status
status() { api "$1" --output /dev/null --write-out '%{http_code}' "${@:2}"; }

# serve [OPTION…]: a server that ends with the test
serve() {
    rm -f "$work/serve.log"
    "$CLI" serve --listen "${1:-unix:$work/api.sock}" "${@:2}" 2>"$work/serve.log" &
    server=$!
    trap 'kill $server 2>/dev/null || true; wait $server 2>/dev/null || true' EXIT
    eventually 5 grep -qs http "$work/serve.log"
}

test_an_agent_is_started_seen_stopped_and_removed_over_the_api() {
    serve
    local answer
    answer=$(api /agents --json "{\"app\": \"$work/tell-static\", \"name\": \"seen\", \"params\": \"wait\", \"env\": [\"A=b\"]}")
    equal name seen "$(jq -r .name <<<"$answer")"
    eventually 5 running seen
    equal listed running "$(api /agents | jq -r '.[] | select(.name == "seen").status')"
    equal options wait "$(api /agents/seen | jq -r .options.params)"
    equal inspected object "$(api /agents/seen/inspect | jq -r type)"
    eventually 5 bash -c "curl -s --unix-socket $work/api.sock http://localhost/agents/seen/logs | grep -q 'env A=b'"
    equal taken 409 "$(status /agents --json "{\"app\": \"$work/tell-static\", \"name\": \"seen\"}")"
    contains refusal "stop it first" "$(api /agents/seen -X DELETE | jq -r .detail)"
    equal ended "exit 3" "$(api '/agents/seen/stop?time=5' -X POST | jq -r .status)"
    equal removed 204 "$(status /agents/seen -X DELETE)"
    equal gone 404 "$(status /agents/seen)"
}

test_a_supervisor_that_is_killed_is_no_running_agent() {
    serve
    api /agents --json "{\"app\": \"$work/tell-static\", \"name\": \"orphan\", \"params\": \"wait\"}" >/dev/null
    kill -KILL "$(jq .supervisor.pid /run/rt-container-cli/orphan/agent.json)"
    eventually 5 bash -c "curl -s --unix-socket $work/api.sock http://localhost/agents/orphan | grep -q lost"
}

test_refusals_are_problems_with_the_text_of_the_command_line() {
    serve
    contains field "there is no cpu; did you mean cpus?" "$(api /agents --json '{"app": "/x", "cpu": "1"}' | jq -r .detail)"
    contains kind "true or false" "$(api /agents --json '{"app": "/x", "mlock": "yes"}' | jq -r .detail)"
    contains relative "begins at /" "$(api /agents --json '{"app": "x"}' | jq -r .detail)"
    contains missing ENOENT "$(api /agents --json '{"app": "/nothing"}' | jq -r .detail)"
    contains cpus "this machine has CPUs" "$(api /agents --json "{\"app\": \"$work/tell\", \"cpus\": \"900\"}" | jq -r .detail)"
    contains detach "the API's to decide" "$(api /agents --json '{"app": "/x", "detach": true}' | jq -r .detail)"
    equal body 400 "$(api /agents --json '{' | jq .status)"
    equal media 415 "$(api /agents -X POST -d x | jq .status)"
    equal query 400 "$(api '/agents/x?forse=true' -X DELETE | jq .status)"
    equal path 404 "$(api /agent | jq .status)"
    equal method 405 "$(api /agents -X PUT | jq .status)"
    contains type application/problem+json "$(api /agent -D -)"
    equal agents "[]" "$(api /agents)"
}

test_a_plan_and_a_check_are_rtruns() {
    serve
    contains plan cpuset "$(api /plan --json "{\"app\": \"$work/tell\", \"cpus\": \"$last_cpu\"}")"
    equal items array "$(api /check | jq -r '.items | type')"
    equal cpu true "$(api /host | jq ".online | contains([$last_cpu])")"
    equal agents "[]" "$(api /agents)"
}

test_a_fleet_runs_and_ends_over_the_api() {
    serve
    contains key "did you mean cpus" "$(api /fleets --data-binary $'[[agent]]\nname = "a"\ncpu = "1"' | jq -r .detail)"
    contains missing ENOENT "$(api /fleets --data-binary $'[[agent]]\nname = "a"\napp = "/nothing"' | jq -r .detail)"
    local text=$'name = "pair"\n[defaults]\napp = "'$work/tell-static$'"\nparams = "wait"\n[[agent]]\nname = "a"\n[[agent]]\nname = "b"\n'
    equal started running "$(api /fleets --data-binary "$text" | jq -r .status)"
    eventually 5 running pair-b
    equal taken 409 "$(status /fleets --data-binary "$text")"
    eventually 5 bash -c "curl -s --unix-socket $work/api.sock http://localhost/fleets/pair/logs | grep -q 'b | arg wait'"
    equal ended 204 "$(status /fleets/pair -X DELETE)"
    equal gone 404 "$(status /fleets/pair)"
    equal agents "[]" "$(api /agents)"
}

test_events_are_told_as_they_happen() {
    serve
    timeout 20 curl --silent --no-buffer --unix-socket "$work/api.sock" http://localhost/events >"$work/events" &
    sleep 0.5
    cli -d --name brief --restart on-failure:1 --app ./tell-static --params 9
    eventually 10 grep -q "event: ended" "$work/events"
    cli rm brief
    eventually 5 grep -q removed "$work/events"
    equal events "started restarted ended removed" "$(sed -n 's/^event: //p' "$work/events" | xargs)"
    contains code '"exitCode":9' "$(cat "$work/events")"
}

test_metrics_of_agents_are_merged() {
    serve
    cli -d --name one --app ./tell-static --params wait
    cli -d --name two --app ./tell-static --params wait
    cli -d --name bad --app ./tell-static --params wait
    printf '# TYPE x_misses counter\nx_misses_total 3\n# EOF\n' | tee /run/rt-container-cli/{one,two}/shared/metrics.prom >/dev/null
    ln -s /etc/passwd /run/rt-container-cli/bad/shared/metrics.prom
    local text
    text=$(api /metrics)
    equal merged "$(cli metrics)" "$text"
    equal families 1 "$(grep -c '^# TYPE x_misses ' <<<"$text")"
    contains samples $'x_misses_total{agent="one"} 3\nx_misses_total{agent="two"} 3' "$text"
    contains link 'rtcontainer_metrics_unreadable{source="bad"} 1' "$text"
    equal ends "# EOF" "$(tail -n 1 <<<"$text")"
    equal ends 1 "$(grep -c '^# EOF' <<<"$text")"
}

test_tcp_wants_a_token() {
    contains refusal "needs --token-file" "$(exits 1 cli serve --listen tcp:127.0.0.1:8099 2>&1)"
    echo short >token
    contains short "16 bytes or more" "$(exits 1 cli serve --listen tcp:127.0.0.1:8099 --token-file token 2>&1)"
    head -c 24 /dev/urandom | base64 >token
    serve tcp:127.0.0.1:8099 --token-file token
    local url=http://127.0.0.1:8099
    equal without 401 "$(curl -s $url/agents | jq .status)"
    equal wrong 401 "$(curl -s -H 'Authorization: Bearer 0123456789abcdef' $url/agents | jq .status)"
    equal right "[]" "$(curl -s -H "Authorization: Bearer $(cat token)" $url/agents)"
    contains page "<!doctype html>" "$(curl -s $url/)"
}

test_the_socket_is_its_owners_and_goes_with_the_server() {
    serve
    equal mode 600 "$(stat -c %a "$work/api.sock")"
    contains taken "somebody listens there already" "$(exits 1 cli serve --listen "unix:$work/api.sock" 2>&1)"
    kill -KILL "$server"
    wait "$server" || true
    serve
    equal replaced "[]" "$(api /agents)"
    kill "$server"
    wait "$server"
    exits 1 test -e "$work/api.sock"
}

# Whether a string is a program's path is beyond a schema, so that what it allows may be refused; events don't end.
test_the_openapi_document_holds() {
    [ -x "$schemathesis" ] || skip "no schemathesis: pip can't install it here"
    head -c 24 /dev/urandom | base64 >token
    serve tcp:127.0.0.1:8099 --token-file token
    "$schemathesis" run http://127.0.0.1:8099/openapi.json --header "Authorization: Bearer $(cat token)" \
        --exclude-path /events --exclude-checks positive_data_acceptance --phases examples,coverage,fuzzing \
        --max-examples 15 --seed 1 --max-time 60 --no-color
}

test_completions_and_man_pages_come_from_the_definition() {
    contains bash --token-file "$(cli completions bash)"
    cli man "$work/man"
    contains page "\-\-listen" "$(cat "$work/man/rt-container-cli-serve.1")"
}
