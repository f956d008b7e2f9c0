#!/usr/bin/env bash
# Flash and RAM of the core on each chip; see README.md beside this.
#
#   proofs/sizes.sh                                         a table, at opt-level z
#   proofs/sizes.sh --largest thumbv7m-none-eabi firmware   the largest functions of one program
#
# Flash is code, constants and initial values; RAM is initialised and zeroed statics (the stack is
# not in it). "core" is the difference to the same program with no call in it.
set -euo pipefail
cd "$(dirname "$0")/.."
source .ci/lib/say.sh
source .ci/lib/install.sh
source .ci/lib/bare-metal.sh

export CARGO_TARGET_DIR=$PWD/target/no-panic
# Each is a set of features of the crate `no-panic` and selects what is called.
PROGRAMS=(firmware request signed answer firmware,request,answer)

main() {
    bare_metal_tools
    if [[ ${1-} == --largest ]]; then
        build "$2" "$3"
        llvm-nm --demangle --print-size --size-sort --reverse-sort --radix=d "$(program "$2")" \
            | awk '{ size = $2 + 0; $1 = $2 = $3 = ""; printf "%6d %s\n", size, $0 }' | head -n 40
        return
    fi
    echo 'opt-level z, fat LTO; bytes'
    printf '%-28s %-24s %8s %8s %8s\n' target program flash core RAM
    local target features flash ram empty
    for target in "${BARE_TARGETS[@]}"; do
        read -r empty ram < <(measure "$target" '')
        for features in "${PROGRAMS[@]}"; do
            read -r flash ram < <(measure "$target" "$features")
            printf '%-28s %-24s %8d %8d %8d\n' \
                "$target" "$features" "$flash" $((flash - empty)) "$ram"
        done
    done
}

# measure TARGET FEATURES: flash and RAM.
measure() {
    build "$@"
    llvm-size "$(program "$1")" | awk 'NR == 2 { print $1 + $2, $2 + $3 }'
}

build() {
    local log=$CARGO_TARGET_DIR/sizes.log
    CARGO_PROFILE_RELEASE_OPT_LEVEL=z bare_cargo "$1" build --release --locked \
        --manifest-path proofs/no-panic/Cargo.toml --no-default-features \
        --features "explain,$2" 2>"$log" || { cat "$log" >&2; exit 1; }
}

program() {
    echo "$CARGO_TARGET_DIR/$1/release/no-panic"
}

main "$@"
