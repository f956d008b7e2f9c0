# The core builds for chips without an operating system, with every set of its features but those
# with the test doubles, which need std.
set -euo pipefail
source .ci/lib/say.sh
source .ci/lib/install.sh
source .ci/lib/bare-metal.sh
source .ci/lib/crates.sh

bare_metal_tools
export CARGO_TARGET_DIR=target/bare-metal
for target in "${BARE_TARGETS[@]}"; do
    while IFS= read -r features; do
        proven "bare_metal::$target[$features]" bare_cargo "$target" build --quiet --locked \
            --package annunciator-core --no-default-features --features "$features"
    done < <(feature_sets annunciator-core testing)
done
