"""A number with its unit, as users write it -> the number in the unit of a figure."""

import math
import re
from collections.abc import Mapping

from mcusim.system.validation import Unusable

UNITS: Mapping[str, Mapping[str, float]] = {
    "ms": {"us": 1e-3, "ms": 1.0, "s": 1e3},
    "bytes": {"bytes": 1.0, "B": 1.0, "kB": 1e3, "KiB": 1024.0, "MB": 1e6, "MiB": 1024.0**2},
    "uWh": {"nWh": 1e-3, "uWh": 1.0, "mWh": 1e3},
    "cycles": {"cycles": 1.0, "kcycles": 1e3, "Mcycles": 1e6},
}
_AMOUNT = re.compile(r"\s*([0-9][0-9_]*\.?[0-9]*(?:[eE][-+]?[0-9]{1,4})?)\s*([A-Za-z]*)\s*")


def read_amount(text: str, unit: str) -> float:
    """`1.5 KiB` -> 1536.0 in bytes. `unit` is "" for what has none. Raises Unusable."""
    match, factors = _AMOUNT.fullmatch(text), UNITS.get(unit, {unit: 1.0})
    number = float(match[1]) * factors.get(match[2] or unit, math.inf) if match else math.inf
    if not math.isfinite(number):
        wanted = f"a number and one of {', '.join(factors)}" if unit else "give a number"
        raise Unusable(f"{text!r} is no limit" + (f" in {unit}" if unit else ""), wanted)
    return number
