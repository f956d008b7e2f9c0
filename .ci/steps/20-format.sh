# rustfmt, over every file of ours, also of the crates outside the workspace.
set -euo pipefail
source .ci/lib/say.sh
source .ci/lib/crates.sh

mapfile -t files < <(our_files '*.rs')
run rustfmt --edition 2024 --check "${files[@]}" >/dev/null \
    || { rustfmt --edition 2024 --check "${files[@]}" | head -100; exit 1; }
echo "test format::${#files[@]}_files ... ok"
