# The documentation as docs.rs builds it, feature labels included, with warnings as errors; and what
# the pages say of the code.
set -euo pipefail
source .ci/lib/say.sh
source .ci/lib/crates.sh
source .ci/lib/pages.sh

packages=("${PUBLISHED[@]/#/--package=}")
# The labels are an unstable feature of every compiler.
export RUSTC_BOOTSTRAP=1
RUSTDOCFLAGS="-D warnings --cfg docsrs" run cargo doc --no-deps --all-features --locked "${packages[@]}"

proven docs::named_tests_exist named_tests_exist
proven docs::links_lead_somewhere links_lead_somewhere
proven docs::readme_is_short readme_is_short
proven docs::sentences_are_short sentences_are_short
proven docs::figures_agree figures_agree
proven docs::pictures_are_current pictures_are_current
