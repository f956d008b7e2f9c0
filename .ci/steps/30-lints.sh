# clippy, with warnings as errors: the whole workspace, then each published crate with each set of
# its features, then the crates outside. The test doubles, alone and with all the rest.
set -euo pipefail
source .ci/lib/say.sh
source .ci/lib/crates.sh

run cargo clippy --quiet --workspace --all-targets --all-features --locked -- -D warnings
for crate in "${PUBLISHED[@]}"; do
    while IFS= read -r features; do
        proven "lints::$crate[$features]" cargo clippy --quiet --package "$crate" --locked \
            --no-default-features --features "$features" -- -D warnings
    done < <(feature_sets "$crate" testing)
done
proven "lints::annunciator-core[testing]" cargo clippy --quiet --package annunciator-core --locked \
    --no-default-features --features testing -- -D warnings
for manifest in $(outside_manifests); do
    # The firmware of the proofs has no meaning on this machine; its own steps build it.
    [[ $manifest != checks/proofs/* ]] || continue
    proven "lints::$manifest" \
        cargo clippy --quiet --manifest-path "$manifest" --all-targets --locked -- -D warnings
done
