# The crates as they would be published: packed, unpacked and built from what was packed. Packed
# together, so that one finds its unpublished sibling.
#
# In a directory that is new each time: cargo unpacks a sibling once for each path of the registry
# it makes there, into the user's own cache, and at that path never again. A second run at one path
# builds the crates against the sibling of the first.
set -euo pipefail
source .ci/lib/say.sh
source .ci/lib/crates.sh

mkdir -p target
CARGO_TARGET_DIR=$(mktemp -d "$PWD/target/package.XXXXXX")
export CARGO_TARGET_DIR
trap 'rm -rf "$CARGO_TARGET_DIR"' EXIT

packages=("${PUBLISHED[@]/#/--package=}")
run cargo package --allow-dirty "${packages[@]}"
