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

# What the README says that it costs is what docs/figures.md says: of each row the numbers that a
# section of that page has at the place which awk names.
figures_agree() {
    local wrong=0
    agree 'a log call' log-call '$1 == "annunciator" { printf "%d", $2 }'
    agree 'one error 10,000 times' storms '/^one error 10,000 times/ { print $7 }'
    agree 'one fault that never ends' month '/^one fault/ { print $(NF - 3) }'
    agree 'the worst that the default budget allows' month '/^the worst/ { print $(NF - 4) }'
    agree 'a small Linux program with Annunciator' linux '$1 == "adapter" { print $2, $3 }'
    agree 'the core on a Cortex-M3' chips '$1 ~ /^thumbv7m/ && $2 == "alerter" { print $3 }'
    ((wrong == 0))
}

# agree ROW SECTION AWK
agree() {
    local shown measured figure
    shown=$(grep -F "| $1 |" README.md | cut -d'|' -f3 | sed -E ':a; s/([0-9]),([0-9]{3})/\1\2/; ta')
    measured=$(sed -n "/^<!-- $2: /,/^<!-- end -->/p" docs/figures.md | awk "$3")
    for figure in ${measured:-nothing}; do
        grep -qw -- "$figure" <<<"$shown" && continue
        echo "README.md, row '$1': docs/figures.md has $figure"
        wrong=$((wrong + 1))
    done
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

# No sentence of a page or of the code's documentation has more than thirty words. Code and tables
# are no sentences.
sentences_are_short() {
    local file long=0
    while read -r file; do
        prose "$file" | sed -E '/^ *```/,/^ *```/d; /^<!-- /d; /^ *[|]/d; s/^ *([-*]|[0-9]+[.]|#+|>) /\n/' \
            | awk -v RS= -v file="$file" '{
                gsub(/\n/, " "); gsub(/\]\([^)]*\)/, "]")
                count = split($0 " ", parts, /[.!?:;]["*)_]* /)
                for (i = 1; i <= count; i++)
                    if (split(parts[i], words, " ") > 30) { print file ": " parts[i]; long = 1 }
            } END { exit long }' || long=1
    done < <(our_files '*.md' '*/src/*.rs' '*/examples/*.rs' 'examples/*.rs')
    ((long == 0))
}

# A page as it is; of a source file what documents it, with a blank line for code in between.
prose() {
    case $1 in
        *.rs) sed -nE 's#^ *//[/!] ?##p; t; s/.*//p' "$1" ;;
        *) cat "$1" ;;
    esac
}
