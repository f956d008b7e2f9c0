#!/usr/bin/env bash
# What the core takes on each chip; see ../README.md.
#
#   checks/proofs/sizes/measure.sh            a table: flash, RAM, stack, beside the aims
#   checks/proofs/sizes/measure.sh --check    the same, and fails if anything has grown over budgets.txt
#   checks/proofs/sizes/measure.sh --pin      the same, and makes it the budgets
#
#   checks/proofs/sizes/measure.sh --files thumbv7m-none-eabi alerter     code by source file of the core
#   checks/proofs/sizes/measure.sh --largest thumbv7m-none-eabi alerter   the largest symbols
#   checks/proofs/sizes/measure.sh --chains thumbv7m-none-eabi alerter    the deepest chains of calls
set -euo pipefail
cd "$(dirname "$0")/../../.."
source .ci/lib/say.sh
source .ci/lib/install.sh
source .ci/lib/bare-metal.sh

TARGET_DIR=$PWD/target/sizes
# The sizes of stack frames are an unstable output of every compiler.
export RUSTC_BOOTSTRAP=1
BUDGETS=checks/proofs/sizes/budgets.txt
# Sets of features of the crate beside this.
PROGRAMS=(alerter shared vonage signature)
# Another release of the compiler moves figures a little: percent.
SLACK=1

main() {
    bare_metal_tools
    local measured=$TARGET_DIR/table.txt
    # Of the one that is asked about.
    export CARGO_TARGET_DIR=$TARGET_DIR/${2-}
    mkdir -p "$CARGO_TARGET_DIR"
    case ${1-} in
        --files) CARGO_PROFILE_RELEASE_DEBUG=line-tables-only build "$2" "$3" && files "$2" | sort -rn ;;
        --largest) build "$2" "$3" && largest "$2" ;;
        --chains) build "$2" "$3" && chains "$2" "$3" ;;
        --pin) table | tee "$measured"; cp "$measured" "$BUDGETS" ;;
        --check) table | tee "$measured"; check "$measured" ;;
        '') table ;;
        *) die "unknown option $1; see the head of $0" ;;
    esac
}

table() {
    local failed=0 target
    side_by_side rows "${BARE_TARGETS[@]}" >"$TARGET_DIR/failures" || failed=1
    printf '%-28s %-10s %7s %7s %7s %7s %7s\n' target program flash RAM new record step
    for target in "${BARE_TARGETS[@]}"; do cat "$TARGET_DIR/$target.rows"; done
    ((failed == 0)) || { cat "$TARGET_DIR/failures" >&2; return 1; }
}

# The rows of one target, into a file. A directory for each, because cargo locks it.
rows() {
    local target=$1 program empty flash ram stack
    export CARGO_TARGET_DIR=$TARGET_DIR/$target
    mkdir -p "$CARGO_TARGET_DIR"
    : >"$TARGET_DIR/$target.rows"
    build "$target" ''
    empty=$(flash "$target")
    for program in "${PROGRAMS[@]}"; do
        build "$target" "$program"
        flash=$(flash "$target")
        ram=$(ram "$target")
        stack=$(stack "$target" "$program")
        # shellcheck disable=SC2086 # three words
        printf '%-28s %-10s %7d %7d %7s %7s %7s\n' \
            "$target" "$program" $((flash - empty)) "$ram" $stack >>"$TARGET_DIR/$target.rows"
    done
}

# build TARGET PROGRAM
build() {
    local log=$CARGO_TARGET_DIR/build.log emit=link
    [[ $2 != vonage && $2 != signature ]] && emit+=,asm=$(assembly "$1" "$2")
    bare_cargo "$1" rustc --release --locked --manifest-path checks/proofs/sizes/Cargo.toml \
        --features "$2" -- --emit=$emit -Zemit-stack-sizes 2>"$log" \
        || { cat "$log" >&2; exit 1; }
}

# Code, constants and initial values.
flash() {
    llvm-size "$(program "$1")" | awk 'NR == 2 { print $1 + $2 }'
}

# Statics beside the caller's buffers.
ram() {
    local callers
    callers=$(llvm-nm --print-size --radix=d "$(program "$1")" \
        | awk '/CALLERS_/ { sum += $2 } END { print sum + 0 }')
    llvm-size "$(program "$1")" | awk -v callers="$callers" 'NR == 2 { print $2 + $3 - callers }'
}

# Of making an alerter, of recording, of a step; a client is the caller's and has its own.
stack() {
    [[ $2 == alerter || $2 == shared ]] || { echo - - -; return; }
    awk -v entries='start record step' -f checks/proofs/sizes/stack.awk "$(assembly "$1" "$2")"
}

chains() {
    local entry
    for entry in start record step; do
        awk -v entries="$entry" -v chain=1 -f checks/proofs/sizes/stack.awk "$(assembly "$1" "$2")"
    done | llvm-cxxfilt
}

# What is not above its budget and not far below is not mentioned.
check() {
    awk -v slack="$SLACK" '
        FNR == 1 { split($0, name); next }
        NR == FNR { for (i = 3; i <= NF; i++) budget[$1, $2, i] = $i; next }
        {
            for (i = 3; i <= NF; i++) {
                most = budget[$1, $2, i]
                if ($i == "-" && most == "-") continue
                if (most == "") { print "no budget: " $1 " " $2 " " name[i]; failed = 1 }
                else if ($i > most * (1 + slack / 100)) {
                    print "over budget: " $1 " " $2 " " name[i] " " $i ", budget " most
                    failed = 1
                } else if ($i < most * (1 - 2 * slack / 100)) {
                    print "smaller than its budget: " $1 " " $2 " " name[i] " " $i \
                        ", budget " most
                }
            }
        }
        END { exit failed }
    ' "$BUDGETS" "$1"
}

largest() {
    llvm-nm --demangle --print-size --size-sort --reverse-sort --radix=d "$(program "$1")" \
        | awk '{ size = $2 + 0; $1 = $2 = $3 = ""; printf "%6d %s\n", size, $0 }' \
        | sed -n 1,40p
}

# Each instruction's bytes go to the innermost file of the core that it was inlined from.
files() {
    llvm-objdump --disassemble --no-show-raw-insn "$(program "$1")" \
        | awk '/^ +[0-9a-f]+:/ { print "0x" substr($1, 1, length($1) - 1) }' \
        | llvm-symbolizer --obj="$(program "$1")" --addresses --inlines --no-demangle \
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
    echo "$CARGO_TARGET_DIR/$1/release/sizes"
}

# assembly TARGET PROGRAM
assembly() {
    echo "$CARGO_TARGET_DIR/$1-${2:-empty}.s"
}

main "$@"
