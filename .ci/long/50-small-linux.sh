# The end-to-end tests and sample_app for ARMv7 and AArch64: see proofs/README.md.
set -euo pipefail

proofs/small-linux/run.sh
