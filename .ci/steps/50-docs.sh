# The documentation as docs.rs builds it, with warnings as errors; and what the pages say of the code.
set -euo pipefail
source .ci/lib/say.sh
source .ci/lib/crates.sh
source .ci/lib/pages.sh

packages=("${PUBLISHED[@]/#/--package=}")
RUSTDOCFLAGS="-D warnings" run cargo doc --no-deps --all-features --locked "${packages[@]}"

proven docs::named_tests_exist named_tests_exist
proven docs::links_lead_somewhere links_lead_somewhere
proven docs::readme_is_short readme_is_short
proven docs::figures_agree figures_agree
proven docs::pictures_are_current pictures_are_current
