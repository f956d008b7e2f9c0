#!/usr/bin/env bash
# Proves by linking that no panic can be reached; see README.md beside this.
#
#   checks/proofs/no-panic/prove.sh                           every target and setting of CI
#   checks/proofs/no-panic/prove.sh thumbv7m-none-eabi s      one of them
set -euo pipefail
cd "$(dirname "$0")/../../.."
source .ci/lib/say.sh
source .ci/lib/install.sh
source .ci/lib/bare-metal.sh

TARGET_DIR=$PWD/target/no-panic
SYMBOL=a_panic_can_be_reached

main() {
    bare_metal_tools
    if (($# == 2)); then
        prove_one "$1 $2"
        return
    fi
    local target=${BARE_TARGETS[0]}
    side_by_side prove_one "${BARE_TARGETS[@]/%/ s}" "$target 3"
    prove_one "$target answers"
}

# prove_one "TARGET LEVEL", or "TARGET answers", which is built as at s. A directory for each,
# because cargo locks it.
prove_one() {
    local target=${1% *} what=${1#* }
    export CARGO_TARGET_DIR=$TARGET_DIR/$target-${what/answers/s}
    if [[ $what == answers ]]; then
        proven "no_panic::answers, but for the JSON reader" only_theirs "$target" s
    else
        prove "$target" "$what"
    fi
}

# Reading answers cannot be proved: serde-json-core indexes by what it has counted. But nothing else
# in it leads to a panic: in each way to one, the first file outside the standard library is its.
only_theirs() {
    build "$@" --no-default-features --features answer,explain --quiet
    local ways
    ways=$(checks/proofs/no-panic/why.sh "$CARGO_TARGET_DIR/$1/release/no-panic")
    awk '
        / calls / { settle(); way = $0; found = 0 }
        way != "" && !found && / at / && !/\/library\// { found = 1; theirs = /serde-json-core/ }
        END { settle(); exit failed || ways == 0 }
        function settle() {
            if (way == "") return
            ways++
            if (!found || !theirs) { print way; failed = 1 }
        }' <<<"$ways" || { echo "$ways"; return 1; }
}

# prove TARGET LEVEL: the program links, and the control does not.
prove() {
    proven "no_panic::$1 at $2" links "$@" || { explain "$@"; return 1; }
    proven "no_panic::$1 at $2, control" control_fails "$@"
}

links() {
    build "$@" 2>&1
}

# The control has to fail, and for the one reason that counts.
control_fails() {
    local output
    if output=$(build "$@" --features control 2>&1); then
        echo "the control links although it contains a panic: the proof proves nothing"
        return 1
    fi
    grep -q "undefined symbol: $SYMBOL" <<<"$output" || { echo "$output"; return 1; }
}

explain() {
    say "the ways to a panic, innermost call first:"
    build "$@" --features explain --quiet
    checks/proofs/no-panic/why.sh "$CARGO_TARGET_DIR/$1/release/no-panic"
}

# build TARGET LEVEL ARGUMENTS...
build() {
    local target=$1 level=$2
    shift 2
    CARGO_PROFILE_RELEASE_OPT_LEVEL=$level bare_cargo "$target" build --release --locked \
        --manifest-path checks/proofs/no-panic/Cargo.toml "$@"
}

main "$@"
