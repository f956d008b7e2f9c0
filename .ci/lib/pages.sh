# What the pages say, held against the tree. To be sourced after say.sh and crates.sh.

# Pages that name tests in backticks.
naming_pages() {
    our_files 'ARCHITECTURE.md' 'docs/*.md' 'docs/**/*.md'
}

# A word of 25 characters or more in backticks that looks like a test's name is one.
named_tests_exist() {
    local missing=0 page name
    while read -r page; do
        while read -r name; do
            git grep -q "fn $name\b" -- '*.rs' && continue
            echo "$page names a test that does not exist: $name"
            missing=$((missing + 1))
        done < <(grep -oE '`[a-z0-9_]{25,}`' "$page" | tr -d '`' | sort -u)
    done < <(naming_pages)
    ((missing == 0))
}

# The name that a heading gets as an anchor, as the usual renderers make it.
anchors() {
    sed '/^```/,/^```/d' "$1" | sed -nE 's/^#{1,6} +//p' \
        | sed -E 's/\[([^]]*)\]\([^)]*\)/\1/g' \
        | tr '[:upper:]' '[:lower:]' | sed -E 's/[^a-z0-9 _-]//g; s/ /-/g'
}

# Every relative link leads to a file or directory of ours, and its anchor to a heading.
links_lead_somewhere() {
    local broken=0 page link path target
    while read -r page; do
        while read -r link; do
            [[ $link == http://* || $link == https://* || $link == mailto:* ]] && continue
            path=${link%%#*}
            target=$page
            [[ -z $path ]] || target=$(dirname "$page")/$path
            if [[ ! -e $target ]]; then
                echo "$page: $link leads nowhere"
                broken=$((broken + 1))
            elif [[ $link == *#* && $target == *.md ]] \
                && ! anchors "$target" | grep -qxF -- "${link#*#}"; then
                echo "$page: no heading $link"
                broken=$((broken + 1))
            fi
        done < <(sed '/^```/,/^```/d' "$page" | grep -oE '\]\([^) ]+\)' | sed -E 's/^\]\(//; s/\)$//')
    done < <(our_files '*.md')
    ((broken == 0))
}

# A page for everything that is added; the README stays what can be read in three minutes.
README_LIMIT=180
readme_is_short() {
    local lines
    lines=$(wc -l <README.md)
    ((lines <= README_LIMIT)) && return
    echo "README.md has $lines lines, more than $README_LIMIT: move something to docs/"
    return 1
}

# The figures in the README are those of docs/figures.md: every number with a thousands separator,
# a fraction or a unit of size in the section "What it costs" stands there too.
figures_agree() {
    local wrong=0 figure
    while read -r figure; do
        grep -qF -- "$figure" docs/figures.md && continue
        echo "README.md has a figure that docs/figures.md has not: $figure"
        wrong=$((wrong + 1))
    done < <(sed -n '/^## What it costs/,/^## /p' README.md \
        | grep -oE '[0-9]+(,[0-9]{3})+|[0-9]+ KiB|[0-9]+ segments' | sort -u)
    ((wrong == 0))
}

# Each picture is what its script draws.
pictures_are_current() {
    local stale=0 script
    for script in docs/pictures/*.sh; do
        "$script" | cmp -s - "${script%.sh}.svg" && continue
        echo "${script%.sh}.svg is not what $script draws"
        stale=$((stale + 1))
    done
    ((stale == 0))
}
