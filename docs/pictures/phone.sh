#!/usr/bin/env bash
# Draws the README's picture: a program's log, and the phone that shows the SMS which it caused.
# Both are what `cargo run --example sample_app` prints.
#
#   docs/pictures/phone.sh > docs/pictures/phone.svg
set -euo pipefail

# row X Y CLASS TEXT: one line of text.
row() {
    printf '<text x="%s" y="%s" class="%s">%s</text>\n' "$1" "$2" "$3" "$4"
}

cat <<'SVG'
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 860 250" role="img" font-size="13"
     aria-label="Four log lines on a terminal, an arrow, and a phone with one SMS">
<style>
  text { font-family: ui-monospace, "DejaVu Sans Mono", monospace; fill: #1f2328 }
  .box { fill: #f6f8fa; stroke: #59636e }
  .bubble { fill: #ddf4ff; stroke: #0969da }
  .debug { fill: #59636e } .warn { fill: #9a6700 } .error { fill: #cf222e }
  .name { font-family: sans-serif; fill: #59636e }
  .arrow { stroke: #59636e; stroke-width: 2; fill: none }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc }
    .box { fill: #151b23; stroke: #9198a1 }
    .bubble { fill: #121d2f; stroke: #4493f8 }
    .debug { fill: #9198a1 } .warn { fill: #d29922 } .error { fill: #f85149 }
    .name { fill: #9198a1 }
    .arrow { stroke: #9198a1 }
  }
</style>
<rect class="box" x="10" y="30" width="430" height="190" rx="8"/>
SVG
row 24 54 name 'the log of sampleapp'
row 24 90 debug "DEBUG This debug message stays on the console"
row 24 120 warn "WARN  You've been warned!"
row 24 150 error 'ERROR This is a test error'
row 24 180 error 'ERROR division by zero'
cat <<'SVG'
<path class="arrow" d="M455 125 H535 M525 117 L535 125 L525 133"/>
SVG
row 462 112 name 'one SMS'
cat <<'SVG'
<rect class="box" x="550" y="5" width="300" height="240" rx="24"/>
<rect class="bubble" x="566" y="52" width="268" height="136" rx="12"/>
SVG
row 574 38 name 'phone'
y=78
for line in '[Rust Logger sampleapp]' "WARN: You've been warned!," 'ERROR: This is a test error,' \
    'ERROR: division by zero'; do
    row 580 "$y" sms "$line"
    y=$((y + 28))
done
echo '</svg>'
