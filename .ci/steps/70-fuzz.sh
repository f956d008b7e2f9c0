# A short turn of every fuzz target, after the control: see checks/fuzz/README.md.
set -euo pipefail

checks/fuzz/run.sh --seconds "${FUZZ_SECONDS:-15}"
