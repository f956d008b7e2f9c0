# The firmware of examples/cortex-m, in QEMU, with the gateway of examples/gateway.rs beside it.
set -euo pipefail

examples/cortex-m/run.sh
