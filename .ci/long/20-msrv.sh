# The workspace builds with the oldest Rust that it promises: `rust-version` in Cargo.toml. Clippy
# knows since when a function is stable, but not since when a piece of syntax is.
set -euo pipefail
source .ci/lib/say.sh

msrv=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
grep -q "Rust $msrv or later" README.md || die "README.md promises another Rust than $msrv"
command -v rustup >/dev/null || die "no rustup here to install Rust $msrv; see https://rustup.rs"
run rustup toolchain install "$msrv" --profile minimal
export CARGO_TARGET_DIR=$PWD/target/msrv
proven "msrv::$msrv" cargo "+$msrv" check --quiet --workspace --all-targets --all-features --locked
