#!/usr/bin/env bash
# Annunciator on small Linux devices, ARMv7 (hard float) and AArch64, in QEMU's user mode, over real
# TLS; see ../README.md.
#
#   checks/proofs/small-linux/run.sh                     everything
#   checks/proofs/small-linux/run.sh --sample            sample_app alone
#   checks/proofs/small-linux/run.sh [--sample] TARGET   for one of them
set -euo pipefail
cd "$(dirname "$0")/../../.."
source .ci/lib/say.sh
source .ci/lib/install.sh
source .ci/lib/bare-metal.sh
source .ci/lib/small-linux.sh

HOST_TARGET=$PWD/target
export CARGO_TARGET_DIR=$PWD/target/small-linux CARGO_PROFILE_DEV_DEBUG=0
# Tests have panics to catch.
STD=std,panic_unwind,test
# Without optimisation a handshake takes so long in the emulator that deadlines pass.
FAST=(--config 'profile.dev.package."*".opt-level=1')

main() {
    local sample=no targets=() target failed=0
    while (($#)); do
        case $1 in
            --sample) sample=yes ;;
            *) targets+=("$1") ;;
        esac
        shift
    done
    ((${#targets[@]})) || targets=("${SMALL_TARGETS[@]}")
    small_tools "${targets[@]}"
    unset VONAGE_API_KEY VONAGE_API_SECRET ALERT_PHONE_NUMBER

    trap clean_up EXIT
    mkdir -p "$CARGO_TARGET_DIR"
    SCRATCH=$(mktemp -d "$CARGO_TARGET_DIR/scratch.XXXXXX")
    run cargo build --quiet --locked --package annunciator-simulator --target-dir "$HOST_TARGET"
    start_simulator
    for target in "${targets[@]}"; do
        sample_app "$target" || failed=1
        [[ $sample == no ]] || continue
        end_to_end "$target" || failed=1
        units "$target" || failed=1
        footprint "$target" || failed=1
    done
    return $failed
}

# The service, on this machine, and what a program needs to know of it.
start_simulator() {
    : >"$SCRATCH/sim.out"
    "$HOST_TARGET/debug/annunciator-simulator" >"$SCRATCH/sim.out" 2>"$SCRATCH/sim.err" &
    SIMULATOR=$!
    local tries
    for ((tries = 0; tries < 300; tries++)); do
        [[ $(grep -c '^export ' "$SCRATCH/sim.out") -lt 4 ]] || break
        kill -0 "$SIMULATOR" 2>/dev/null || die "the simulator ended: $(cat "$SCRATCH/sim.err")"
        sleep 0.1
    done
    grep '^export ' "$SCRATCH/sim.out" >"$SCRATCH/env"
}

clean_up() {
    [[ -z ${SIMULATOR-} ]] || kill "$SIMULATOR" 2>/dev/null || true
    [[ -z ${SCRATCH-} ]] || rm -rf "$SCRATCH"
}

# The README's program there, the service here.
sample_app() {
    local target=$1
    run small_cargo "$target" "$STD" build --quiet --locked "${FAST[@]}" \
        --package annunciator-examples --example sample_app
    proven "small_linux::$target::sample_app" texts_the_host "$target" || return 1
}

texts_the_host() {
    local target=$1 before said tries
    before=$(grep -c '^SMS to ' "$SCRATCH/sim.out" || true)
    (
        source "$SCRATCH/env"
        export ALERT_PHONE_NUMBER=+447700900000 ALERT_SPOOL=$SCRATCH/spool
        # The words are this target's runner and its options.
        # shellcheck disable=SC2046
        $(small_runner "$target") "$CARGO_TARGET_DIR/$target/debug/examples/sample_app"
    ) || return 1
    rm -rf "$SCRATCH/spool"
    for ((tries = 0; tries < 100; tries++)); do
        [[ $(grep -c '^SMS to ' "$SCRATCH/sim.out") -eq $before ]] || break
        sleep 0.1
    done
    said=$(grep '^SMS to ' "$SCRATCH/sim.out" | tail -n +$((before + 1)))
    [[ $said == *'[Rust Logger sampleapp] WARN: You'\''ve been warned!, ERROR: This is a test error, ERROR: division by zero' ]] \
        || { echo "the service got: $said"; return 1; }
    [[ ! -s $SCRATCH/sim.err ]] || { cat "$SCRATCH/sim.err"; return 1; }
}

# The end-to-end tests, twice: the tests and the service here, the program under test there; and all
# of it there.
end_to_end() {
    local target=$1 program there here failed=0
    run small_cargo "$target" "$STD" test --no-run --quiet --locked "${FAST[@]}" \
        --package annunciator-tests --test e2e
    there=$(built "$CARGO_TARGET_DIR/$target/debug/deps")
    run cargo test --no-run --quiet --locked --package annunciator-tests --test e2e \
        --target-dir "$HOST_TARGET"
    here=$(built "$HOST_TARGET/debug/deps")
    program="$(small_runner "$target") $CARGO_TARGET_DIR/$target/debug/annunciator-tests-child"
    export ANNUNCIATOR_TESTS_PROGRAM=$program
    say "the tests and the service here, the program on $target"
    "$here" "${WITH_A_PROGRAM[@]}" || failed=1
    say "all of it on $target"
    $(small_runner "$target") "$there" --test-threads 4 || failed=1
    unset ANNUNCIATOR_TESTS_PROGRAM
    return $failed
}

# The adapter's own tests, all there.
units() {
    local target=$1
    ANNUNCIATOR_TESTS_EMULATOR=$(small_runner "$target") run small_cargo "$target" "$STD" test \
        --quiet --locked --no-fail-fast "${FAST[@]}" --package annunciator --lib --test processes -- \
        "${FORKING[@]}"
}

# The emulator does not wipe what a forked child must not inherit; see ../README.md.
FORKING=(--skip forked --skip a_child_of_a_busy_parent)

# Topics of which the program under test is a process of its own.
WITH_A_PROGRAM=(destinations:: front:: guard:: kill:: panics:: restart:: secrets:: setup:: signed::)

# What the adapter adds to a small program, in bytes; see ../README.md.
footprint() {
    local target=$1 program row='' sizes=() most
    run small_cargo "$target" std,panic_abort build --quiet --release --locked \
        --manifest-path checks/proofs/footprint/Cargo.toml --bin hello --bin client --bin adapter \
        --features client,adapter
    for program in hello client adapter; do
        sizes+=("$(stat -c %s "$CARGO_TARGET_DIR/$target/release/$program")")
        row+=" $program ${sizes[-1]}"
    done
    say "bytes for $target:$row, above the client $((sizes[2] - sizes[1]))"
    most=$(awk -v row="$target" '$1 == row { print $3 }' checks/proofs/footprint/budgets.txt)
    proven "small_linux::$target::footprint" test $((sizes[2] - sizes[1])) -le "$most"
}

# The newest test program in a directory.
built() {
    local file newest=
    for file in "$1"/e2e-*; do
        [[ -x $file && $file != *.d ]] || continue
        [[ -n $newest && $newest -nt $file ]] || newest=$file
    done
    [[ -n $newest ]] || die "no tests were built in $1"
    echo "$newest"
}

main "$@"
