#!/usr/bin/env bash
# Flash and RAM of the core on each chip; see README.md beside this.
#
#   proofs/sizes.sh                                         a table, at opt-level z
#   proofs/sizes.sh --files thumbv7m-none-eabi firmware     code bytes by source file of the core
#   proofs/sizes.sh --largest thumbv7m-none-eabi firmware   the largest symbols
#
# Flash is code, constants and initial values; RAM is initialised and zeroed statics (the stack is
# not in it). "core" is the difference to the same program with no call in it.
set -euo pipefail
cd "$(dirname "$0")/.."
source .ci/lib/say.sh
source .ci/lib/install.sh
source .ci/lib/bare-metal.sh

export CARGO_TARGET_DIR=$PWD/target/no-panic
mkdir -p "$CARGO_TARGET_DIR"
# Each is a set of features of the crate `no-panic` and selects what is called.
PROGRAMS=(firmware request signed answer shared firmware,request,answer)

main() {
    bare_metal_tools
    if [[ ${1-} == --files ]]; then
        build "$2" "$3"
        files "$(program "$2")" | sort -rn
        return
    elif [[ ${1-} == --largest ]]; then
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

# Each instruction's bytes go to the innermost file of the core that it was inlined from.
files() {
    llvm-objdump --disassemble --no-show-raw-insn "$1" \
        | awk '/^ +[0-9a-f]+:/ { print "0x" substr($1, 1, length($1) - 1) }' \
        | llvm-symbolizer --obj="$1" --addresses --inlines --no-demangle \
        | awk '
            /^0x/ { settle(number($1)); found = ""; next }
            found == "" && !/library\/core/ && match($0, /core\/src\/[a-z0-9_\/]+\.rs/) {
                found = substr($0, RSTART + 9, RLENGTH - 9)
            }
            END { for (file in bytes) printf "%6d %s\n", bytes[file], file }

            # What was found belongs to the instruction before; a gap of more is no code.
            function settle(next_at) {
                if (at && next_at - at <= 8) {
                    bytes[found != "" ? found : "(not of the core)"] += next_at - at
                }
                at = next_at
            }
            function number(hex,    i, value) {
                for (i = 3; i <= length(hex); i++) {
                    value = value * 16 + index("0123456789abcdef", substr(hex, i, 1)) - 1
                }
                return value
            }'
}

program() {
    echo "$CARGO_TARGET_DIR/$1/release/no-panic"
}

main "$@"
