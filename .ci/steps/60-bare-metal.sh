# The core compiles for chips without an operating system: every set of its features is checked, and
# the whole of it becomes machine code. The features with the test doubles need std.
set -euo pipefail
source .ci/lib/say.sh
source .ci/lib/install.sh
source .ci/lib/bare-metal.sh
source .ci/lib/crates.sh

bare_metal_tools
core=(--quiet --locked --package annunciator-core --no-default-features)
mapfile -t sets < <(feature_sets annunciator-core testing)

# A directory for each, because cargo locks it.
builds() {
    local target=$1 features
    export CARGO_TARGET_DIR=target/bare-metal/$target
    for features in "${sets[@]}"; do
        proven "bare_metal::$target[$features]" \
            bare_cargo "$target" check "${core[@]}" --features "$features"
    done
    proven "bare_metal::$target, all of it" \
        bare_cargo "$target" build "${core[@]}" --features "${sets[-1]}"
}

side_by_side builds "${BARE_TARGETS[@]}"
