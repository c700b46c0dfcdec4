"""platforms/measured.csv -> how far the timing model is from silicon, by set.

Bars are those of STM32L4: what the flash of a PSoC 62 takes is not known (docs/timing.md).
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from mcusim.timing.record import HELD_OUT, RECORD, Line, deviation, read_record
from tools.bars.group import Group, Place

KEM = r"ml-kem-(\d+_m4fspeed|(512|768)_clean) "  # that docs/timing.md has in one line


def _measure(_place: Place) -> Mapping[str, float]:
    lines = [line for line in read_record(RECORD) if line.record == "stm32l4"]
    held_out = [line.error_pct for line in lines if line.use == HELD_OUT]
    kem = [line.error_pct for line in lines if re.match(KEM, line.program)]
    mlperf = [line.error_pct for line in lines if line.program.startswith("mlperf") and _is_integer(line)]
    return {
        "timing held out median": deviation(held_out).median,
        "timing held out p90": deviation(held_out).p90,
        "timing ML-KEM median": deviation(kem).median,
        "timing ML-KEM largest": deviation(kem).largest,
        "timing MLPerf integer largest": deviation(mlperf).largest,
    }


def _is_integer(line: Line) -> bool:
    return "integer" in line.kinds


GROUPS = (Group("timing model", is_long=False, is_compiled=False, measure=_measure),)
