# No event is lost whose call had returned when the program was killed: a hundred kills, half of them
# on four threads that log back to back. A thousand: .ci/long/40-sigkill-long.sh.
set -euo pipefail
source .ci/lib/say.sh

export CARGO_TARGET_DIR=$PWD/target/sigkill
run cargo run --quiet --release --locked --manifest-path checks/proofs/sigkill/Cargo.toml -- 100
