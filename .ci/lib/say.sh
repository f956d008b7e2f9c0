# How the scripts speak. To be sourced.

# A line of our own among the tools' output.
say() {
    printf '[%s] %s\n' "$(date +%H:%M:%S)" "$*"
}

headline() {
    printf '\n===== %s %s\n' "$1" "$(date +%H:%M:%S)"
}

die() {
    printf 'error: %s\n' "$*" >&2
    exit 1
}

# run COMMAND...: shows the command, then runs it.
run() {
    say "\$ $*"
    "$@"
}

# proven NAME COMMAND...: one line with the verdict in the form of a test runner; the command's
# output only if it fails. Use it in a condition or under `set -e`.
proven() {
    local name=$1 began=$SECONDS output
    shift
    if output=$("$@" 2>&1); then
        echo "test $name ... ok ($((SECONDS - began)) s)"
    else
        echo "test $name ... FAILED ($((SECONDS - began)) s)"
        printf '%s\n' "$output"
        return 1
    fi
}

# side_by_side FUNCTION ARGUMENT...: calls the function with each argument, all at the same time;
# what one prints comes in one piece. Fails if one fails.
side_by_side() {
    local function=$1 argument jobs=() job failed=0
    shift
    for argument; do
        {
            set +e
            output=$(set -e; "$function" "$argument" 2>&1)
            status=$?
            printf '%s\n' "$output"
            exit "$status"
        } &
        jobs+=($!)
    done
    for job in "${jobs[@]}"; do
        wait "$job" || failed=1
    done
    return "$failed"
}
