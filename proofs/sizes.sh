#!/usr/bin/env bash
# Flash and RAM of the core on each chip, as a table. See README.md beside this.
#
# Flash is code, constants and initial values; RAM is initialised and zeroed statics (the stack is
# not in it). "core" is the difference to the same program with no call in it.
set -euo pipefail
cd "$(dirname "$0")/.."
source .ci/lib/say.sh
source .ci/lib/install.sh
source .ci/lib/bare-metal.sh

export CARGO_TARGET_DIR=$PWD/target/no-panic
LEVEL=${1:-z}

main() {
    bare_metal_tools
    printf '%-30s %-12s %8s %8s   at opt-level %s, fat LTO\n' target program flash RAM "$LEVEL"
    local target program flash ram empty
    for target in "${BARE_TARGETS[@]}"; do
        empty=0
        for program in empty "${PROGRAMS[@]}"; do
            read -r flash ram < <(measure "$target" "$program")
            printf '%-30s %-12s %8d %8d' "$target" "$program" "$flash" "$ram"
            [[ $program == empty ]] && { empty=$flash; echo; continue; }
            printf '   core: %d\n' $((flash - empty))
        done
    done
}

# Each is a feature of the crate `no-panic` and selects what is called.
PROGRAMS=(everything)

# measure TARGET PROGRAM: flash and RAM in bytes.
measure() {
    local features=explain
    [[ $2 == empty ]] || features+=,$2
    CARGO_PROFILE_RELEASE_OPT_LEVEL=$LEVEL bare_cargo "$1" build --release --locked --quiet \
        --manifest-path proofs/no-panic/Cargo.toml --no-default-features --features "$features"
    llvm-size "$CARGO_TARGET_DIR/$1/release/no-panic" | awk 'NR == 2 { print $1 + $2, $2 + $3 }'
}

main "$@"
