#!/usr/bin/env bash
# Builds the firmware, runs it in QEMU with the gateway on this machine, and compares what is seen
# with the snapshot beside this; see README.md.
#
#   examples/cortex-m/run.sh              compares
#   examples/cortex-m/run.sh --accept     makes what is seen the snapshot
set -euo pipefail
cd "$(dirname "$0")/../.."
source .ci/lib/say.sh
source .ci/lib/install.sh
source .ci/lib/bare-metal.sh

TARGET=thumbv7m-none-eabi
HERE=$PWD/examples/cortex-m
# What the simulator answers first: an outage begins with the second text.
ANSWERS=accepted,http:503,http:503,http:503

main() {
    bare_metal_tools
    command_or_debian qemu-system-arm qemu-system-arm
    build
    run cargo build --quiet --locked --package annunciator-examples --example gateway

    # A path of its own, short enough for a socket.
    STAGE=$(mktemp -d)
    trap 'kill "${GATEWAY-}" 2>/dev/null || true; rm -rf "$STAGE"' EXIT
    local program
    for program in firmware firmware_async; do
        story "$program"
        compare "$program" "${1-}"
    done
}

build() {
    CARGO_TARGET_DIR=$PWD/target/cortex-m run bare_cargo "$TARGET" build --quiet --release --locked \
        --manifest-path "$HERE/Cargo.toml"
}

# story PROGRAM: its life from the first start to the last, into $STAGE/PROGRAM.
story() {
    local socket=$STAGE/line.sock seen=$STAGE/$1 waited
    unset VONAGE_API_KEY VONAGE_API_SECRET ALERT_PHONE_NUMBER
    target/debug/examples/gateway --listen "$socket" --sessions 2 --answers "$ANSWERS" \
        >"$STAGE/gateway" 2>"$STAGE/gateway.err" &
    GATEWAY=$!
    for ((waited = 0; waited < 600; waited++)); do
        [[ ! -S $socket ]] || break
        kill -0 "$GATEWAY" || { cat "$STAGE/gateway.err"; exit 1; }
        sleep 0.1
    done
    rm -f "$STAGE/card.bin"
    {
        echo '# console: the first power-on'
        emulate "$1" "$socket"
        echo '# console: after the loss of power'
        emulate "$1" "$socket"
        echo '# gateway: each attempt, then the phone'
        wait "$GATEWAY"
        cat "$STAGE/gateway"
    } >"$seen"
    # Where the code lies is the compiler's affair.
    sed -i -E 's/0x[0-9a-f]{8}/0x--------/g' "$seen"
    rm -f "$socket"
}

# emulate PROGRAM SOCKET: until the program ends; its console is our output. Time is virtual: it goes
# on by 128 ns an instruction, however busy this machine is.
emulate() {
    (cd "$STAGE" && timeout 300 qemu-system-arm -cpu cortex-m3 -machine lm3s6965evb \
        -icount shift=7,sleep=off -nographic -monitor none \
        -chardev "socket,id=line,path=$2" -serial chardev:line \
        -semihosting-config enable=on,target=native \
        -kernel "$OLDPWD/target/cortex-m/$TARGET/release/$1" 2>"$STAGE/qemu.err") \
        || { cat "$STAGE/qemu.err" >&2; die "$1 did not end well"; }
}

# compare PROGRAM [--accept]: however it is driven, the story is the same.
compare() {
    local snapshot=$HERE/firmware.snapshot
    if [[ $1 == firmware && ${2-} == --accept ]]; then
        cp "$STAGE/$1" "$snapshot"
        say "$snapshot is what was seen"
    fi
    proven "cortex_m::$1" diff -u "$snapshot" "$STAGE/$1"
}

main "$@"
