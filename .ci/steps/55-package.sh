# The crates as they would be published: packed, unpacked and built from what was packed. Packed
# together, so that one finds its unpublished sibling.
set -euo pipefail
source .ci/lib/say.sh
source .ci/lib/crates.sh

packages=("${PUBLISHED[@]/#/--package=}")
run cargo package --allow-dirty "${packages[@]}"
