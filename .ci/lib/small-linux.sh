# Building for small Linux devices, and running what was built in QEMU's user mode. To be sourced
# after say.sh, install.sh and bare-metal.sh.
#
# As for chips there are two ways: a rustup target, if it is installed; else Debian's rustc-web,
# which builds the standard library along.

SMALL_TARGETS=(armv7-unknown-linux-gnueabihf aarch64-unknown-linux-gnu)

# small_prefix TARGET: what the names of the C compiler and of the directory of libraries begin with.
small_prefix() {
    case $1 in
        armv7-unknown-linux-gnueabihf) echo arm-linux-gnueabihf ;;
        aarch64-unknown-linux-gnu) echo aarch64-linux-gnu ;;
        *) die "no small target: $1" ;;
    esac
}

# small_tools TARGET...
small_tools() {
    local target
    debian qemu-user
    for target in "$@"; do
        case $target in
            armv7-*) debian gcc-arm-linux-gnueabihf libc6-dev-armhf-cross ;;
            aarch64-*) debian gcc-aarch64-linux-gnu libc6-dev-arm64-cross ;;
        esac
        has_rustup_target "$target" || debian rustc-web cargo-web rust-web-src
    done
}

# small_runner TARGET: the command that runs a program of that target here.
small_runner() {
    case $1 in
        armv7-*) echo "qemu-arm -L /usr/$(small_prefix "$1")" ;;
        aarch64-*) echo "qemu-aarch64 -L /usr/$(small_prefix "$1")" ;;
    esac
}

# small_cargo TARGET STD SUBCOMMAND ARGUMENTS...: STD is what -Zbuild-std has to build.
small_cargo() {
    local target=$1 std=$2 subcommand=$3 upper=${1^^}
    shift 3
    upper=${upper//-/_}
    local settings=(
        "CARGO_TARGET_${upper}_LINKER=$(small_prefix "$target")-gcc"
        "CARGO_TARGET_${upper}_RUNNER=$(small_runner "$target")"
    )
    if has_rustup_target "$target"; then
        env "${settings[@]}" cargo "$subcommand" --target "$target" "$@"
    else
        env "${settings[@]}" RUSTC="$DEBIAN_RUSTC" RUSTC_BOOTSTRAP=1 \
            "$DEBIAN_CARGO" "$subcommand" -Zbuild-std="$std" --target "$target" "$@"
    fi
}
