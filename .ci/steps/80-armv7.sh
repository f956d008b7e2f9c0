# The README's program, built for ARMv7 and run in QEMU's user mode against the simulator here.
set -euo pipefail

proofs/small-linux/run.sh --sample armv7-unknown-linux-gnueabihf
