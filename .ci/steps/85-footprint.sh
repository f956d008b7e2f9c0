# What the adapter adds to a small program on Linux: bytes, memory, threads, crates.
set -euo pipefail

checks/proofs/footprint/run.sh --check
