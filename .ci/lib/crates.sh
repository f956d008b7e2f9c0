# What there is to check. To be sourced.

# Crates that are published, in the order of their dependencies.
PUBLISHED=(annunciator-core annunciator annunciator-simulator)

# Files of ours with the given endings, committed or not.
our_files() {
    git ls-files --cached --others --exclude-standard -- "$@" | while read -r file; do
        [[ -f $file ]] && echo "$file"
    done
}

# Manifests of the crates outside the workspace.
outside_manifests() {
    our_files 'checks/**Cargo.toml' | sort -u
}

# feature_sets CRATE [WITHOUT]: every set of features that is a state of its own, one a line,
# comma-separated; the first is empty. A set with features left out that another of it implies is
# the same state and not listed. No set contains the feature WITHOUT.
feature_sets() {
    cargo metadata --format-version 1 --no-deps | jq -r --arg crate "$1" --arg without "${2-}" '
        def closure($all): . as $set
            | ([$set[] | $all[.][]? | select($all[.])] + $set | unique) as $more
            | if $more == $set then $set else $more | closure($all) end;
        .packages[] | select(.name == $crate) | .features as $all
        | [$all | keys[] | select(. != "default" and . != $without)]
        | reduce .[] as $feature ([[]]; . + map(. + [$feature]))
        | map(unique | closure($all)) | unique | sort_by(length)[] | join(",")'
}
