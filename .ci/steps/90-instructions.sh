# What a log call costs, in what repeats: instructions, allocations, system calls. See
# checks/bench/README.md; the ceilings are in checks/bench/ceilings.txt.
set -euo pipefail
source .ci/lib/say.sh
source .ci/lib/install.sh

command_or_debian valgrind valgrind
command_or_debian strace strace
run cargo run --quiet --release --locked --manifest-path checks/bench/Cargo.toml -- \
    counts --rows limit,annunciator,annunciator-spool,annunciator-three,annunciator-full --check
