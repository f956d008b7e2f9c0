# Installs what the other steps call.
set -euo pipefail
source .ci/lib/say.sh
source .ci/lib/install.sh
source .ci/lib/bare-metal.sh

command -v cargo >/dev/null || die "no Rust here; see https://rustup.rs, then run this again"
run cargo --version
run cargo fmt --version
run cargo clippy --version
command_or_debian git git
command_or_debian jq jq
command_or_debian cc gcc
command_or_debian c++ g++
bare_metal_tools
command_or_debian valgrind valgrind
command_or_debian strace strace
