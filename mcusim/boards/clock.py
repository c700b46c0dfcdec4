"""A clock as users write it -> Hz."""

import re

from mcusim.boards.chip import HIGHEST_HZ

_CLOCK = re.compile(r"([0-9.]{1,20}(?:e[0-9]{1,2})?)\s*([kmg]?)(?:hz)?", re.IGNORECASE | re.ASCII)
LOWEST_HZ = 1000  # who writes 80 means 80 MHz; no core here is slower than a watch crystal
_HERTZ = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9}


def hertz(text: str) -> int | None:
    """`80MHz`, `48e6` or `48000000` -> Hz; None for what is no clock."""
    match = _CLOCK.fullmatch(text.strip())
    try:
        found = round(float(match[1]) * _HERTZ[match[2].lower()]) if match else 0
    except ValueError:  # 1.2.3
        found = 0
    return found if LOWEST_HZ <= found < HIGHEST_HZ else None
