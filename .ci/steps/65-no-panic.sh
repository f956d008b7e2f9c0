# No panic can be reached from what firmware calls: see proofs/README.md.
set -euo pipefail

proofs/no-panic/prove.sh
