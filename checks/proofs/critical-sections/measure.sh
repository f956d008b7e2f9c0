#!/usr/bin/env bash
# How long each operation keeps interrupts off, in instructions of a Cortex-M3, for rings of 32 and
# of 64 slots and messages of 160 bytes; held against the ceilings in budget.txt. Then an interrupt's
# view: see ../README.md.
#
#   checks/proofs/critical-sections/measure.sh            prints and checks
set -euo pipefail
cd "$(dirname "$0")/../../.."
source .ci/lib/say.sh
source .ci/lib/install.sh
source .ci/lib/bare-metal.sh

TARGET=thumbv7m-none-eabi
HERE=$PWD/checks/proofs/critical-sections

main() {
    bare_metal_tools
    command_or_debian qemu-system-arm qemu-system-arm
    export CARGO_TARGET_DIR=$PWD/target/cortex-m
    run bare_cargo "$TARGET" build --quiet --release --locked --manifest-path "$HERE/Cargo.toml"
    SEEN=$(mktemp)
    trap 'rm -f "$SEEN"' EXIT
    # Each instruction takes 16 ns of virtual time, so that the figures repeat.
    timeout 600 qemu-system-arm -cpu cortex-m3 -machine lm3s6965evb -icount shift=4,sleep=off \
        -nographic -monitor none -serial null -semihosting-config enable=on,target=native \
        -kernel "$CARGO_TARGET_DIR/$TARGET/release/critical-sections" >"$SEEN" \
        || { cat "$SEEN"; die "the program did not end well"; }
    cat "$SEEN"
    proven critical_sections::ceilings within "$SEEN" "$HERE/budget.txt"
    proven critical_sections::interrupts diff <(grep '^[a-z]*: [0-9]* recorded' "$HERE/budget.txt") \
        <(grep '^[a-z]*: [0-9]* recorded' "$SEEN")
}

# within SEEN BUDGET: no row exceeds its ceilings, and none lacks one.
within() {
    awk -F'  +' '
        /^#/ || /recorded/ || NF < 2 { next }
        FNR == NR { small[$1] = $2; large[$1] = $3; next }
        !($1 in small) { print "no ceiling: " $0; failed = 1; next }
        $2 > small[$1] + 0 || $3 > large[$1] + 0 {
            print $0 "    more than " small[$1] " or " large[$1]; failed = 1
        }
        { rows++ }
        END { exit failed || rows == 0 }' "$2" "$1"
}

main "$@"
