# Our requests and the simulator's answers, judged by Prism between them: see .ci/prism/README.md.
set -euo pipefail
source .ci/lib/say.sh
source .ci/lib/install.sh

# Later versions want a newer Node than Debian has.
PRISM=@stoplight/prism-cli@5.14.2
WORK=$PWD/target/prism
# Well-formed answers; the malformed ones would be rightly refused.
ANSWERS=(accepted parts:3 partial partial:2 status:0 status:1 status:2 status:3 status:4 status:5
    status:7 status:8 status:9 status:15 status:29 throttled pretty chunked)
# ASCII, the extension table, and a text that needs UCS-2.
NAMES=(plain 'braces {}' 'жук')

main() {
    command_or_debian node nodejs
    command_or_debian npm npm
    mkdir -p "$WORK"
    (cd "$WORK" && run npm install --silent --no-audit --no-fund --ignore-scripts "$PRISM")
    cargo build --quiet --locked --package annunciator-simulator --package annunciator --example self_test \
        --package annunciator-examples --bins
    trap stop EXIT

    control
    local answer name failed=0
    for answer in "${ANSWERS[@]}"; do
        judged "$answer" 'plain' || failed=1
    done
    for name in "${NAMES[@]}"; do
        judged accepted "$name" || failed=1
    done
    return $failed
}

# judged ANSWER NAME: one text through Prism to a simulator that answers so.
judged() {
    start_simulator "$1"
    start_prism "$SIMULATOR_ORIGIN"
    rm -rf "$WORK/spool"
    # Refused or throttled texts make the self test fail, which is not what is judged here.
    VONAGE_API_KEY=$VONAGE_API_KEY VONAGE_API_SECRET=$VONAGE_API_SECRET \
        ALERT_PHONE_NUMBER=447700900000 ALERT_NAME="$2" ALERT_SPOOL=$WORK/spool \
        VONAGE_SMS_URL=$PRISM_ORIGIN/sms/json \
        timeout 20 target/debug/examples/self_test >"$WORK/self_test.log" 2>&1 || true
    stop

    local verdict=ok
    grep -q 'post /sms/json .*Request received' "$WORK/prism.log" || verdict='FAILED: nothing arrived'
    if violated; then verdict=FAILED; fi
    echo "test prism::$1 ($2) ... $verdict"
    [[ $verdict == ok ]] || { cat "$WORK/prism.log" "$WORK/self_test.log"; return 1; }
}

# Prism has to object to a request and to an answer, or its silence says nothing.
control() {
    local body
    for body in 'from=AcmeInc&to=+447700900000&text=x' 'from=AcmeInc&to=447700900000&text=x'; do
        start_simulator no-messages
        start_prism "$SIMULATOR_ORIGIN"
        node -e 'fetch(process.argv[1], {method: "POST", body: process.argv[2], headers: {
            "content-type": "application/x-www-form-urlencoded",
            authorization: "Basic " + btoa(process.argv[3])}})' \
            "$PRISM_ORIGIN/sms/json" "$body" "$VONAGE_API_KEY:$VONAGE_API_SECRET"
        stop
        violated || { cat "$WORK/prism.log"; die "Prism let pass: $body"; }
    done
    echo 'test prism::control ... ok'
}

violated() {
    grep -qE 'Violation|terminated with error' "$WORK/prism.log"
}

start_simulator() {
    : >"$WORK/simulator.env"
    target/debug/annunciator-simulator --plain --otherwise "$1" >"$WORK/simulator.env" 2>&1 &
    SIMULATOR=$!
    wait_for "$WORK/simulator.env" VONAGE_API_SECRET
    source <(grep '^export ' "$WORK/simulator.env")
    SIMULATOR_ORIGIN=${VONAGE_SMS_URL%/sms/json}
}

start_prism() {
    local port
    port=$(node -e 'const s=require("net").createServer().listen(0,"127.0.0.1",()=>{
        console.log(s.address().port);s.close()})')
    : >"$WORK/prism.log"
    "$WORK/node_modules/.bin/prism" proxy --host 127.0.0.1 --port "$port" \
        .ci/prism/sms-strict.yml "$1" >"$WORK/prism.log" 2>&1 &
    PROXY=$!
    PRISM_ORIGIN=http://127.0.0.1:$port
    wait_for "$WORK/prism.log" 'listening'
}

# wait_for FILE TEXT: until the text stands in the file; a minute at most.
wait_for() {
    local tries
    for ((tries = 0; tries < 600; tries++)); do
        ! grep -q "$2" "$1" 2>/dev/null || return 0
        sleep 0.1
    done
    cat "$1"
    die "no '$2' in $1"
}

stop() {
    local process
    for process in "${PROXY-}" "${SIMULATOR-}"; do
        [[ -z $process ]] || { kill "$process" 2>/dev/null; wait "$process" 2>/dev/null; } || true
    done
    PROXY='' SIMULATOR=''
}

main "$@"
