# The documentation as docs.rs builds it, with warnings as errors.
set -euo pipefail
source .ci/lib/say.sh
source .ci/lib/crates.sh

packages=("${PUBLISHED[@]/#/--package=}")
RUSTDOCFLAGS="-D warnings" run cargo doc --no-deps --all-features --locked "${packages[@]}"
