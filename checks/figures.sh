#!/usr/bin/env bash
# Measures, and writes what it measured into docs/figures.md: command, date, machine, versions, and
# what the command printed.
#
#   checks/figures.sh                  every section; about half an hour
#   checks/figures.sh log-call chips   only these
#   checks/figures.sh --list           their names
#
# A section of the page stands between the lines `<!-- NAME: written by checks/figures.sh -->` and
# `<!-- end -->`. Whatever else the page says is written by hand and holds no figure of its own.
set -euo pipefail
cd "$(dirname "$0")/.."
source .ci/lib/say.sh

PAGE=docs/figures.md
SECTIONS=(log-call latency lock chips interrupts linux storms month writes power-cuts kills)

main() {
    [[ ${1-} != --list ]] || { printf '%s\n' "${SECTIONS[@]}"; return; }
    (($#)) || set -- "${SECTIONS[@]}"
    local section
    for section; do
        [[ " ${SECTIONS[*]} " == *" $section "* ]] || die "no such section: $section"
        say "$section"
        write "$section"
    done
}

# What a section's figures come from. Printed as it is, so that anybody can run it.
command_of() {
    local tests='cargo test --release -p annunciator-core --all-features --test'
    case $1 in
        log-call) echo 'cargo run --release --manifest-path checks/bench/Cargo.toml -- counts' ;;
        latency) echo 'cargo run --release --manifest-path checks/bench/Cargo.toml -- latency' ;;
        lock) echo 'cargo run --release --manifest-path checks/bench/Cargo.toml -- holds' ;;
        chips) echo 'checks/proofs/sizes/measure.sh' ;;
        interrupts) echo 'checks/proofs/critical-sections/measure.sh' ;;
        linux) echo 'checks/proofs/footprint/run.sh' ;;
        storms) echo 'cargo run --example storms' ;;
        month) echo "$tests scenarios -- --nocapture a_fault_that_never_ends" ;;
        writes) echo "$tests wear -- --nocapture" ;;
        power-cuts) echo "ANNUNCIATOR_LONG=1 $tests powercut -- --nocapture" ;;
        kills) echo 'cargo run --release --manifest-path checks/proofs/sigkill/Cargo.toml -- 1000' ;;
    esac
}

# Of what a command prints, the figures.
figures_of() {
    case $1 in
        storms) sed -n '/^scenario /,$p' ;;
        # Tests run side by side, and the runner speaks between.
        power-cuts) grep -oE '[0-9]+ (single|pairs|storages|power cuts|random) .*' | sort -k2 ;;
        month | writes) grep -vE '^(running|test|\.*$|\.?$)' | sed -E 's/^\.+//' ;;
        interrupts) grep -vE '^(test |Timer|\[[0-9:]+\] )' ;;
        *) cat ;;
    esac | sed -E -e 's/[[:space:]]+$//' -e '/./,$!d' | cat -s
}

write() {
    local command printed
    command=$(command_of "$1")
    # What a build says goes to the terminal.
    printed=$(bash -c "set -euo pipefail; ${command//cargo /cargo --quiet --locked }" | figures_of "$1")
    [[ -n $printed ]] || die "$1: $command printed no figures"
    grep -q "^<!-- $1: " "$PAGE" || die "$PAGE has no place for $1"
    {
        sed "/^<!-- $1: /q" "$PAGE"
        printf '`%s`\\\n%s\n\n```text\n%s\n```\n' "$command" "$(stamp "$1")" "$printed"
        sed -n "/^<!-- $1: /,\$p" "$PAGE" | sed -n '/^<!-- end -->/,$p'
    } >"$PAGE.new"
    mv "$PAGE.new" "$PAGE"
}

# Date, machine, versions.
stamp() {
    local versions
    versions="rustc $(rustc --version | cut -d' ' -f2)"
    case $1 in
        log-call) versions+=", $(valgrind --version)" ;;
        interrupts) versions+=", $(qemu-system-arm --version | sed -nE '1s/.*version ([0-9.]+).*/QEMU \1/p')" ;;
    esac
    echo "$(date -u +%Y-%m-%d), $(uname -m), $(nproc) cores, Linux $(uname -r | cut -d- -f1), $versions"
}

main "$@"
