# The price of a text agrees with two independent libraries on more than 100,000 texts.
set -euo pipefail

.ci/oracles
echo "test oracles::agree ... ok"
