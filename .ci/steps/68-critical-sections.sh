# How long the core keeps interrupts off, and that an interrupt loses nothing: see
# checks/proofs/README.md.
set -euo pipefail

checks/proofs/critical-sections/measure.sh
