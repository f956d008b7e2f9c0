#!/usr/bin/env bash
# Draws what storms cost, events against billed segments, from the table in docs/figures.md.
#
#   docs/pictures/storm.sh > docs/pictures/storm.svg
set -euo pipefail
cd "$(dirname "$0")/../.."

# The rows between the table's head and the end of its block: name, events, segments.
rows() {
    sed -n '/^scenario  /,/^```/p' docs/figures.md | grep -v '^scenario\|^```' \
        | sed -E 's/^(.{25}) +([0-9]+) +[0-9]+ +([0-9]+).*/\1;\2;\3/; s/ +;/;/'
}

cat <<'SVG'
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 860 360" role="img" font-size="13"
     aria-label="For each storm a long bar of events and a short bar of billed segments">
<style>
  text { font-family: ui-monospace, "DejaVu Sans Mono", monospace; fill: #1f2328 }
  .events { fill: #afb8c1 } .segments { fill: #0969da } .grid { stroke: #d1d9e0 }
  .faint { fill: #59636e }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc }
    .events { fill: #59636e } .segments { fill: #4493f8 } .grid { stroke: #3d444d }
    .faint { fill: #9198a1 }
  }
</style>
<rect class="events" x="210" y="8" width="12" height="12"/><text x="228" y="18">events</text>
<rect class="segments" x="300" y="8" width="12" height="12"/><text x="318" y="18">billed segments</text>
SVG
# The scale is logarithmic: 138 pixels are a factor of ten.
rows | awk -F ';' '
    function wide(n) { return n < 1 ? 0 : 10 + 138 * log(n) / log(10) }
    BEGIN {
        for (n = 1; n <= 10000; n *= 10) {
            x = 210 + wide(n)
            printf "<path class=\"grid\" d=\"M%d 28V335\"/>", x
            printf "<text class=\"faint\" x=\"%d\" y=\"352\" text-anchor=\"middle\">%d</text>\n", x, n
        }
    }
    {
        y = 36 + 33 * (NR - 1)
        printf "<text x=\"200\" y=\"%d\" text-anchor=\"end\">%s</text>\n", y + 15, $1
        printf "<rect class=\"events\" x=\"210\" y=\"%d\" width=\"%d\" height=\"10\"/>", y, wide($2)
        printf "<rect class=\"segments\" x=\"210\" y=\"%d\" width=\"%d\" height=\"10\"/>", y + 11, wide($3)
        printf "<text x=\"%d\" y=\"%d\">%d</text>", 216 + wide($2), y + 10, $2
        printf "<text x=\"%d\" y=\"%d\">%d</text>\n", 216 + wide($3), y + 21, $3
    }'
echo '</svg>'
