# Building for chips without an operating system. To be sourced after say.sh and install.sh.
#
# Two ways: a rustup target, if it is installed; else Debian's rustc-web, which carries the sources
# of the standard library, so that `core` is built along (RUSTC_BOOTSTRAP lets a stable compiler
# take -Zbuild-std). If neither can be had, the step fails.

# A Cortex-M3; a Cortex-M0 and a small RISC-V, both without compare-and-swap.
BARE_TARGETS=(thumbv7m-none-eabi thumbv6m-none-eabi riscv32imc-unknown-none-elf)

DEBIAN_CARGO=/usr/bin/cargo
DEBIAN_RUSTC=/usr/bin/rustc

has_rustup_target() {
    command -v rustup >/dev/null && rustup target list --installed 2>/dev/null | grep -qx "$1"
}

bare_metal_tools() {
    local target
    for target in "${BARE_TARGETS[@]}"; do
        has_rustup_target "$target" && continue
        debian rustc-web cargo-web rust-web-src lld
        break
    done
    # Sizes, disassembly and line tables, to name what a failed proof has found.
    command_or_debian llvm-objdump llvm
}

# bare_cargo TARGET SUBCOMMAND ARGUMENTS...
bare_cargo() {
    local target=$1 subcommand=$2
    shift 2
    if has_rustup_target "$target"; then
        cargo "$subcommand" --target "$target" "$@"
    else
        local linker=CARGO_TARGET_${target^^}_LINKER
        env "${linker//-/_}=ld.lld" RUSTC="$DEBIAN_RUSTC" RUSTC_BOOTSTRAP=1 \
            "$DEBIAN_CARGO" "$subcommand" -Zbuild-std=core --target "$target" "$@"
    fi
}
