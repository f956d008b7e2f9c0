# The worst-case stack of functions, from the assembly of a whole program with the compiler's
# `-Z emit-stack-sizes` in it.
#
#   awk -v entries='record step' -f stack.awk program.s       bytes of each, in one line
#   awk -v entries=step -v chain=1 -f stack.awk program.s     the deepest chain of calls
#
# Whatever a function mentions, it may call: a call through a register is preceded by a mention, so
# none is missed. Recursion has no bound and is an error. The compiler's own runtime (memcpy,
# division) is not in the assembly; its deepest chain is assumed for every function.

BEGIN {
    RUNTIME = 128
    for (code = 32; code < 127; code++) PRINTABLE = PRINTABLE sprintf("%c", code)
    ESCAPED["b"] = 8; ESCAPED["t"] = 9; ESCAPED["n"] = 10; ESCAPED["f"] = 12; ESCAPED["r"] = 13
}

$1 == ".type" && $2 ~ /[,]/ {
    split($2, part, ",")
    if ($0 ~ /function/) is_function[part[1]] = 1
}

/^[A-Za-z_][A-Za-z0-9_.$]*:/ {
    name = substr($1, 1, length($1) - 1)
    if (name in is_function) inside = last = name
    next
}

$1 == ".size" { inside = "" }

/^\t\.section\t\.stack_sizes/ { reading = 1; size = 0; scale = 1; next }

reading && ($1 == ".long" || $1 == ".word") { next }

# The size, seven bits a byte, the lowest first; escaped as text if it has several.
reading && $1 == ".byte" { digit($2 % 128); next }
reading && ($1 == ".ascii" || $1 == ".asciz") {
    text = substr($0, index($0, "\"") + 1)
    while (text !~ /^(".*)?$/) text = one(text)
    next
}
reading { frame[last] = size; reading = 0 }

inside != "" && !/^\t\.(loc|file|size|type|globl|p2align|cfi)/ {
    count = split($0, word, /[^A-Za-z0-9_.$]+/)
    for (i = 2; i <= count; i++)
        if (word[i] ~ /^[A-Za-z_]/) mentions[inside] = mentions[inside] " " word[i]
}

END {
    if (reading) frame[last] = size
    count = split(entries, entry, " ")
    for (e = 1; e <= count; e++) {
        bytes = depth(entry[e])
        if (chain) for (f = entry[e]; f != ""; f = deepest[f]) print frame[f], f
        else printf "%s%d", (e > 1 ? " " : ""), bytes + RUNTIME
    }
    if (chain) print RUNTIME, "(the compiler's runtime)"
    else print ""
}

function digit(bits) { size += bits * scale; scale *= 128 }

# Takes one character off a string literal of the assembler.
function one(text,    octal) {
    if (match(text, /^\\[0-7][0-7][0-7]/)) {
        octal = substr(text, 2, 3)
        digit((substr(octal, 1, 1) * 64 + substr(octal, 2, 1) * 8 + substr(octal, 3, 1)) % 128)
        return substr(text, 5)
    }
    if (text ~ /^\\/) {
        text = substr(text, 2)
        digit(substr(text, 1, 1) in ESCAPED ? ESCAPED[substr(text, 1, 1)] \
            : index(PRINTABLE, substr(text, 1, 1)) + 31)
    } else {
        digit(index(PRINTABLE, substr(text, 1, 1)) + 31)
    }
    return substr(text, 2)
}

function depth(f,    seen, all, i, most, below, g) {
    if (f in known) return known[f]
    if (f in open) { print "recursion through " f > "/dev/stderr"; exit 1 }
    open[f] = 1
    # What the compiler cut out of several functions may save the address it returns to.
    if (!(f in frame)) {
        if (f !~ /^OUTLINED_FUNCTION/) {
            print "no stack size of " f > "/dev/stderr"
            exit 1
        }
        frame[f] = 8
    }
    count_of[f] = split(mentions[f], all, " ")
    for (i = 1; i <= count_of[f]; i++) {
        g = all[i]
        if (!(g in is_function) || g in seen) continue
        seen[g] = 1
        below = depth(g)
        if (below > most) { most = below; deepest[f] = g }
    }
    delete open[f]
    return known[f] = frame[f] + most
}
