# No dependency has a licence, a source or a second version that deny.toml forbids, and none has an
# open advisory.
set -euo pipefail
source .ci/lib/say.sh

command -v cargo-deny >/dev/null || run cargo install --locked cargo-deny
run cargo deny --locked check
