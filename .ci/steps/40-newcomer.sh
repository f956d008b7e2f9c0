# The README's two commands, as they stand there.
set -euo pipefail
source .ci/lib/say.sh

for command in 'cargo run --example sample_app' 'cargo test'; do
    grep -qE "^(\\$ )?$command *(#.*)?$" README.md || die "README.md does not show the command: $command"
done
unset VONAGE_API_KEY VONAGE_API_SECRET ALERT_PHONE_NUMBER
run cargo run --example sample_app
# Here no test may leave itself out.
export ANNUNCIATOR_TESTS_NAMESPACES=required
run cargo test
# What only firmware uses is not built by that: `shared`, `embedded-io`.
run cargo test --package annunciator-core --all-features --lib --test api
git diff --quiet -- Cargo.lock || die "the commands have changed Cargo.lock"
