# Flash, RAM and stack of the core on each chip against proofs/sizes/budgets.txt: see
# proofs/README.md.
set -euo pipefail

proofs/sizes/measure.sh --check
