# A short turn of every fuzz target, after the control: see fuzz/README.md.
set -euo pipefail

fuzz/run.sh --seconds "${FUZZ_SECONDS:-15}"
