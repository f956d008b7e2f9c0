# No dependency has a licence, a source or a second version that deny.toml forbids. Advisories are
# asked for by the hosted workflow alone: they change without us.
set -euo pipefail
source .ci/lib/say.sh

command -v cargo-deny >/dev/null || run cargo install --locked cargo-deny
run cargo deny --locked check licenses bans sources
