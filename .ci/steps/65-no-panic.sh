# No panic can be reached from what firmware calls: see checks/proofs/README.md.
set -euo pipefail

checks/proofs/no-panic/prove.sh
