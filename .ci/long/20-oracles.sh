# The count of segments against two independent libraries.
set -euo pipefail
source .ci/lib/say.sh
source .ci/lib/install.sh

command_or_debian python3 python3
command_or_debian node nodejs
command_or_debian npm npm
run .ci/oracles
