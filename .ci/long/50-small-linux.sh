# The end-to-end tests and sample_app for ARMv7 and AArch64: see checks/proofs/README.md.
set -euo pipefail

checks/proofs/small-linux/run.sh
