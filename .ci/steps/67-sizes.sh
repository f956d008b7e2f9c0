# Flash, RAM and stack of the core on each chip against checks/proofs/sizes/budgets.txt: see
# checks/proofs/README.md.
set -euo pipefail

checks/proofs/sizes/measure.sh --check
