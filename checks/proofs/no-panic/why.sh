#!/usr/bin/env bash
# why.sh PROGRAM: the places from which a panic can be reached, in a program that was linked with
# the feature `explain`: every call that leads into a panic from a function outside `core`, with the
# source lines that were inlined there.
set -euo pipefail

program=$1

# Calls as lines "caller <tab> callee <tab> address of the call". Symbols stay mangled: a demangled
# name may contain blanks and angle brackets.
calls() {
    llvm-objdump --disassemble --no-show-raw-insn --no-print-imm-hex "$program" | awk '
        /^[0-9a-f]+ <.*>:$/ { caller = substr($2, 2, length($2) - 3); next }
        match($0, /<[^>+]+>/) {
            callee = substr($0, RSTART + 1, RLENGTH - 2)
            address = $1; sub(":", "", address)
            if (callee != caller) print caller "\t" callee "\t" address
        }'
}

# Walks back from the panic handler as long as the callers are functions of `core`; prints the
# addresses of the first calls from outside it.
sites() {
    awk -F '\t' '
        { caller[NR] = $1; callee[NR] = $2; address[NR] = $3 }
        END {
            for (i = 1; i <= NR; i++) if (callee[i] ~ /rust_begin_unwind|core9panicking/) panics[callee[i]] = 1
            do {
                more = 0
                for (i = 1; i <= NR; i++)
                    if (callee[i] in panics && !(caller[i] in panics) && machinery(caller[i])) {
                        panics[caller[i]] = 1
                        more = 1
                    }
            } while (more)
            for (i = 1; i <= NR; i++)
                if (callee[i] in panics && !(caller[i] in panics)) print address[i] "\t" callee[i]
        }
        function machinery(name) {
            if (name ~ /OUTLINED_FUNCTION/) return 1
            # The first crate of a mangled path is the one that defines the function.
            return match(name, /Cs[0-9A-Za-z]+_[0-9]+/) && substr(name, RSTART + RLENGTH, 4) == "core"
        }'
}

count=0
while IFS=$'\t' read -r address callee; do
    count=$((count + 1))
    printf '\n%s calls %s\n' "0x$address" "$(llvm-cxxfilt "$callee" 2>/dev/null || echo "$callee")"
    llvm-symbolizer --obj="$program" --inlines --demangle --pretty-print "0x$address" \
        | sed -e "s|$PWD/||g" -e 's|^|    |' | grep -v '^ *$' || true
done < <(calls | sites)

if ((count == 0)); then
    echo "none found in the disassembly; all functions of the panicking machinery that remain:"
    llvm-nm --demangle "$program" | grep -iE 'panick|unwind|_fail' || true
fi
