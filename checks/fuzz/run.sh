#!/usr/bin/env bash
# Fuzzes on the stable toolchain; see README.md beside this.
#
#   checks/fuzz/run.sh --seconds 30             every target for 30 seconds each, after the control
#   checks/fuzz/run.sh --seconds 600 answer     one target
#   checks/fuzz/run.sh answer FILE...           replays inputs, for instance one that crashed
set -euo pipefail
cd "$(dirname "$0")/../.."
source .ci/lib/say.sh

# What cargo-fuzz asks of the nightly compiler with -Zsanitizer, the stable one can do by an LLVM
# pass: a counter for each edge, a table of where they are, and calls at each comparison, through
# which libFuzzer learns the values a branch waits for.
COVERAGE="-Cpasses=sancov-module
    -Cllvm-args=-sanitizer-coverage-level=4
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters
    -Cllvm-args=-sanitizer-coverage-pc-table
    -Cllvm-args=-sanitizer-coverage-trace-compares"

HOST=$(rustc --version --verbose | sed -n 's/^host: //p')
export CARGO_TARGET_DIR=$PWD/target/fuzz
# What is learnt stays here between runs; the seeds in the repository are never written to.
LEARNT=$CARGO_TARGET_DIR/corpus
CRASHES=$CARGO_TARGET_DIR/crashes
# Seconds within which the control has to be found; it takes less than one.
CONTROL_SECONDS=60

main() {
    local seconds=0 target='' files=()
    while (($#)); do
        case $1 in
            --seconds) seconds=$2; shift ;;
            -*) die "unknown option $1" ;;
            *) if [[ -z $target ]]; then target=$1; else files+=("$PWD/$1"); fi ;;
        esac
        shift
    done
    build
    if ((${#files[@]})); then
        run "$(program "$target")" "${files[@]}"
    elif ((seconds == 0)); then
        die "--seconds is missing; see the head of checks/fuzz/run.sh"
    elif [[ -n $target ]]; then
        fuzz "$target" "$seconds"
    else
        control
        local failed=0
        for target in $(targets); do fuzz "$target" "$seconds" || failed=1; done
        return $failed
    fi
}

# The explicit target keeps the flags away from build scripts, which run without libFuzzer.
build() {
    RUSTFLAGS=${COVERAGE//$'\n'/ } cargo build --quiet --release --locked --target "$HOST" \
        --manifest-path checks/fuzz/Cargo.toml
}

targets() {
    local file
    for file in checks/fuzz/targets/*.rs; do
        file=${file##*/}
        [[ $file == planted.rs ]] || echo "${file%.rs}"
    done
}

program() {
    echo "$CARGO_TARGET_DIR/$HOST/release/$1"
}

# fuzz TARGET SECONDS
fuzz() {
    local target=$1 seconds=$2 seeds=()
    mkdir -p "$LEARNT/$target" "$CRASHES"
    [[ ! -d checks/fuzz/seeds/$target ]] || seeds=("checks/fuzz/seeds/$target")
    [[ $target != answer ]] || recorded_answers "$LEARNT/answer"
    local options=(-max_total_time="$seconds" -timeout=5 -rss_limit_mb=1024 -print_final_stats=1
        -artifact_prefix="$CRASHES/$target-")
    [[ ! -f checks/fuzz/seeds/$target.dict ]] || options+=(-dict="checks/fuzz/seeds/$target.dict")
    local log=$CARGO_TARGET_DIR/$target.log
    if "$(program "$target")" "${options[@]}" "$LEARNT/$target" "${seeds[@]}" >"$log" 2>&1; then
        local runs edges
        runs=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
        edges=$(sed -n 's/^#.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -n 1)
        echo "test fuzz::$target ... ok ($seconds s, $runs inputs, $edges edges)"
    else
        echo "test fuzz::$target ... FAILED"
        grep -vE '^#|^ +[0-9]+: |^ +at ' "$log" | tail -n 40
        echo "again: checks/fuzz/run.sh $target <the file named above>"
        return 1
    fi
}

# Seeds for `answer`, from the answers that the core's tests read: the HTTP status in two bytes, no
# Retry-After, pieces of 16 bytes, the body. That is how the target takes its input apart.
recorded_answers() {
    local number=0 status body
    while read -r status body; do
        number=$((number + 1))
        {
            printf '%b' "$(printf '\\x%02x\\x%02x\\x00\\x10' $((status % 256)) $((status / 256)))"
            base64 -d <<<"$body"
        } >"$1/recorded-$number"
    done < <(jq -r '"\(.http) \(.body | @base64)"' core/tests/data/vonage-responses.jsonl)
}

# The planted bug has to be found.
control() {
    local log=$CARGO_TARGET_DIR/planted.log
    if "$(program planted)" -max_total_time="$CONTROL_SECONDS" -artifact_prefix="$CARGO_TARGET_DIR/" \
        >"$log" 2>&1; then
        echo "test fuzz::control ... FAILED: the planted bug was not found, so coverage is not seen"
        tail -n 20 "$log"
        return 1
    fi
    grep -q 'the planted bug' "$log" || { cat "$log"; die "the control failed for another reason"; }
    echo "test fuzz::control ... ok (found the planted bug)"
}

main "$@"
