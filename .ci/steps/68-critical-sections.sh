# How long the core keeps interrupts off, and that an interrupt loses nothing: see proofs/README.md.
set -euo pipefail

proofs/critical-sections/measure.sh
