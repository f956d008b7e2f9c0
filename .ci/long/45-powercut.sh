# Power cuts at every byte of the large sets, and a thousand kills over the whole life of a program
# against the simulator.
set -euo pipefail
source .ci/lib/say.sh

ANNUNCIATOR_LONG=1 run cargo test --locked -p annunciator-core --all-features --test powercut -- \
    --nocapture
E2E_KILLS=${E2E_KILLS:-1000} run cargo test --locked -p annunciator-tests --test e2e -- \
    --nocapture whatever_was_logged_before_a_kill
