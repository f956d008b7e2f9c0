# No event is lost whose call had returned when the program was killed.
set -euo pipefail
source .ci/lib/say.sh

export CARGO_TARGET_DIR=$PWD/target/sigkill
run cargo run --quiet --release --locked --manifest-path checks/proofs/sigkill/Cargo.toml -- \
    "${SIGKILL_TRIALS:-1000}"
