# A long turn of every fuzz target.
set -euo pipefail

checks/fuzz/run.sh --seconds "${FUZZ_SECONDS_LONG:-300}"
