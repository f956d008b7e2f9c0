"""Asks PyPI's smsutil: one JSON string a line in, "<alphabet> <segments> <units>" out."""
import json
import sys

import smsutil

ALPHABETS = {"gsm0338": ("GSM7", 1), "utf_16_be": ("UCS2", 2)}

for line in sys.stdin:
    answer = smsutil.split(json.loads(line))
    alphabet, bytes_a_unit = ALPHABETS[answer.encoding]
    print(alphabet, len(answer.parts), answer.total_bytes // bytes_a_unit)
