# Installing what a step needs. To be sourced after say.sh.

as_root() {
    if ((EUID == 0)); then
        "$@"
    elif command -v sudo >/dev/null; then
        sudo "$@"
    else
        die "needs root (or sudo) to run: $*"
    fi
}

# debian PACKAGE...: installs those that are missing, and fails if it cannot.
debian() {
    local missing=() package
    for package in "$@"; do
        [[ $(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) == installed ]] \
            || missing+=("$package")
    done
    ((${#missing[@]})) || return 0
    command -v apt-get >/dev/null || die "not a Debian system; please install: ${missing[*]}"
    say "installing ${missing[*]}"
    as_root apt-get update -qq
    as_root env DEBIAN_FRONTEND=noninteractive \
        apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null \
        || die "could not install: ${missing[*]}"
}

# command_or_debian COMMAND PACKAGE: satisfied by the command, wherever it comes from.
command_or_debian() {
    command -v "$1" >/dev/null || debian "$2"
    command -v "$1" >/dev/null || die "$1 is still missing after installing $2"
}
