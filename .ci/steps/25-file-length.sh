# A file that one can read in a sitting: at most 600 lines.
set -euo pipefail
source .ci/lib/say.sh
source .ci/lib/crates.sh

LIMIT=600
long=0
while read -r file; do
    lines=$(wc -l <"$file")
    if ((lines > LIMIT)); then
        echo "$file: $lines lines, more than $LIMIT: split it by responsibility"
        long=$((long + 1))
    fi
done < <(our_files '*.rs' '*.sh' '*.md' '*.toml' '.ci/run')
((long == 0)) || exit 1
echo "test file_length::at_most_$LIMIT ... ok"
