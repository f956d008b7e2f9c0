# The documentation as docs.rs builds it, with warnings as errors.
set -euo pipefail
source .ci/lib/say.sh
source .ci/lib/crates.sh

packages=("${PUBLISHED[@]/#/--package=}")
RUSTDOCFLAGS="-D warnings" run cargo doc --no-deps --all-features --locked "${packages[@]}"

# The tests that ARCHITECTURE.md names are there.
grep -o '`[a-z0-9_]\{25,\}`' ARCHITECTURE.md | tr -d '`' | sort -u | while IFS= read -r name; do
    git grep -q "fn $name\b" -- '*.rs' || die "ARCHITECTURE.md names a test that does not exist: $name"
done
