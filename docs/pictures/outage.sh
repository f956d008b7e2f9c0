#!/usr/bin/env bash
# Draws an outage: the service is away, events wait, one SMS reports all of them.
#
#   docs/pictures/outage.sh > docs/pictures/outage.svg
set -euo pipefail

FROM=230 UNTIL=610

cat <<'SVG'
<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 860 210" role="img" font-size="13"
     aria-label="Three lines over time: the service is away, events happen, one SMS leaves afterwards">
<style>
  text { font-family: ui-monospace, "DejaVu Sans Mono", monospace; fill: #1f2328 }
  .line { stroke: #59636e; stroke-width: 2 } .up { fill: #1a7f37 } .down { fill: #cf222e }
  .event { stroke: #9a6700; stroke-width: 2 } .try { stroke: #cf222e; stroke-width: 2 }
  .sms { fill: #0969da } .faint { fill: #59636e }
  @media (prefers-color-scheme: dark) {
    text { fill: #f0f6fc }
    .line { stroke: #9198a1 } .up { fill: #3fb950 } .down { fill: #f85149 }
    .event { stroke: #d29922 } .try { stroke: #f85149 }
    .sms { fill: #4493f8 } .faint { fill: #9198a1 }
  }
</style>
SVG
echo '<text x="10" y="40">service</text><text x="10" y="90">events</text>'
echo '<text x="10" y="140">attempts</text><text x="10" y="190">SMS</text>'
printf '<rect class="up" x="110" y="30" width="%s" height="10"/>' $((FROM - 110))
printf '<rect class="down" x="%s" y="30" width="%s" height="10"/>' "$FROM" $((UNTIL - FROM))
printf '<rect class="up" x="%s" y="30" width="%s" height="10"/>\n' "$UNTIL" $((850 - UNTIL))
printf '<text x="%s" y="20" class="faint">02:10</text><text x="%s" y="20" class="faint">03:40</text>\n' \
    "$FROM" $((UNTIL - 40))
for y in 90 140 190; do printf '<path class="line" d="M110 %s H850"/>\n' "$y"; done
for x in 140 250 262 270 310 318 326 350 390 402 440 452 460 490 500 520 528 540 560 572 580 590 600 605; do
    printf '<path class="event" d="M%s 72V90"/>' "$x"
done
echo
# Attempts come at growing distances, at most five minutes apart.
for x in 254 258 266 282 306 330 354 378 402 426 450 474 498 522 546 570 594; do
    printf '<path class="try" d="M%s 126l8 8m0-8l-8 8"/>' "$x"
done
echo
echo '<circle class="sms" cx="156" cy="180" r="6"/><circle class="sms" cx="622" cy="180" r="6"/>'
echo '<text x="170" y="178">one SMS</text>'
echo '<text x="390" y="178" class="faint">all wait, durable</text>'
echo '<text x="636" y="178">23 alerts while offline</text>'
echo '</svg>'
