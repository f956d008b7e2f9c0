#!/usr/bin/env bash
# What Annunciator adds to a small program on Linux; see ../README.md.
#
#   checks/proofs/footprint/run.sh            prints the table
#   checks/proofs/footprint/run.sh --check    and fails if a budget of budgets.txt is exceeded
set -euo pipefail
cd "$(dirname "$0")/../../.."
source .ci/lib/say.sh

MANIFEST=checks/proofs/footprint/Cargo.toml
export CARGO_TARGET_DIR=$PWD/target/footprint
BIN=$CARGO_TARGET_DIR/release
# Each figure of memory is the median of so many runs.
RUNS=5
COLUMNS=(binary idle peak threads busy crates)

main() {
    local check=no
    [[ ${1-} != --check ]] || check=yes
    cargo build --quiet --release --locked --manifest-path "$MANIFEST" --bin hello --bin watch
    cargo build --quiet --release --locked --manifest-path "$MANIFEST" --bin client \
        --bin adapter --features client,adapter
    cargo build --quiet --locked --package annunciator-simulator --target-dir "$PWD/target"

    trap clean_up EXIT
    SCRATCH=$(mktemp -d "$CARGO_TARGET_DIR/scratch.XXXXXX")
    start_simulator
    declare -gA ROW=()
    measure hello hello ''
    measure client client 447700900000 --features client
    measure client-3 client 447700900000,447700900111,447700900222 --features client
    measure adapter adapter 447700900000 --features adapter
    measure adapter-3 adapter 447700900000,447700900111,447700900222 --features adapter
    [[ ! -s $SCRATCH/simulator.err ]] || { cat "$SCRATCH/simulator.err" >&2; exit 1; }
    table
    [[ $check == no ]] || budgets
}

# The service, and what it says that a program needs to know.
start_simulator() {
    "$PWD/target/debug/annunciator-simulator" >"$SCRATCH/simulator" 2>"$SCRATCH/simulator.err" &
    SIMULATOR=$!
    local tries
    for ((tries = 0; tries < 300; tries++)); do
        ! grep -q '^export VONAGE_SMS_URL' "$SCRATCH/simulator" || break
        kill -0 "$SIMULATOR" 2>/dev/null || die "the simulator has ended: $(cat "$SCRATCH/simulator.err")"
        sleep 0.1
    done
    # Whatever the last line is, it is there when the first text is.
    sleep 0.2
    grep '^export ' "$SCRATCH/simulator" >"$SCRATCH/env"
}

clean_up() {
    [[ -z ${SIMULATOR-} ]] || kill "$SIMULATOR" 2>/dev/null || true
    [[ -z ${SCRATCH-} ]] || rm -rf "$SCRATCH"
}

# measure ROW PROGRAM NUMBERS FEATURES...
measure() {
    local row=$1 program=$2 numbers=$3 run
    shift 3
    : >"$SCRATCH/runs"
    for ((run = 0; run < RUNS; run++)); do
        (
            source "$SCRATCH/env"
            export ALERT_PHONE_NUMBER=$numbers ALERT_SPOOL=$SCRATCH/spool
            "$BIN/watch" "$BIN/$program"
        ) >>"$SCRATCH/runs"
        # Each run is a first one.
        rm -rf "$SCRATCH/spool"
    done
    ROW[$row.binary]=$(stat -c %s "$BIN/$program")
    ROW[$row.idle]=$(median 1)
    ROW[$row.peak]=$(median 2)
    ROW[$row.threads]=$(median 3)
    ROW[$row.busy]=$(median 4)
    ROW[$row.crates]=$(crates "$@")
}

median() {
    cut -d' ' -f"$1" "$SCRATCH/runs" | sort -n | sed -n "$(((RUNS + 1) / 2))p"
}

# Every crate that is compiled for the program, itself left out.
crates() {
    cargo tree --quiet --locked --manifest-path "$MANIFEST" --edges normal --prefix none "$@" \
        | sed 's/ (\*)$//; s/ (proc-macro)$//' | sort -u | grep -vc '^annunciator-footprint ' || true
}

table() {
    printf '%-10s %10s %10s %10s %8s %8s %7s\n' \
        program binary 'idle KiB' 'peak KiB' threads 'at peak' crates
    local row column line
    for row in hello client client-3 adapter adapter-3; do
        printf -v line '%-10s %10d %10d %10d %8d %8d %7d' "$row" \
            "${ROW[$row.binary]}" "${ROW[$row.idle]}" "${ROW[$row.peak]}" \
            "${ROW[$row.threads]}" "${ROW[$row.busy]}" "${ROW[$row.crates]}"
        echo "$line"
    done
    for row in '' -3; do
        printf '%-10s' "above$row"
        for column in "${COLUMNS[@]}"; do
            case $column in binary | idle | peak) printf ' %+10d' "$(above "$row" "$column")" ;; esac
        done
        echo
    done
}

# above SUFFIX COLUMN: what the adapter adds to the client.
above() {
    echo $((ROW[adapter$1.$2] - ROW[client$1.$2]))
}

budgets() {
    local row column most value failed=0
    while read -r row column most; do
        # Those of other targets are for ../small-linux/run.sh.
        [[ -n $row && $row != \#* && $row != *-linux-* ]] || continue
        case $row in
            above) value=$(above '' "$column") ;;
            above-3) value=$(above -3 "$column") ;;
            *) value=${ROW[$row.$column]} ;;
        esac
        if ((value <= most)); then
            echo "test footprint::$row::$column ... ok ($value of $most)"
        else
            echo "test footprint::$row::$column ... FAILED ($value of $most)"
            failed=1
        fi
    done <checks/proofs/footprint/budgets.txt
    return $failed
}

main "$@"
