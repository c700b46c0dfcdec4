"""What script/fuzz is tried with; light, since processes import it."""

from __future__ import annotations

import os
import time
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from tools.fuzz.kind import Failure, Kind, NotHere, Outcome

MENDED = "TOY_IS_MENDED"


def _toy(seeds: Sequence[int], _folder: Path) -> Outcome:
    """5 is bad, as long as the environment says so; 13 ends the process, 21 hangs, and 30 is not here."""
    bad = [Failure(seed, "it is five") for seed in seeds if seed == 5 and MENDED not in os.environ]
    if 13 in seeds:
        os._exit(9)
    if 21 in seeds:
        time.sleep(60)
    if 30 in seeds:
        raise NotHere("thirty")
    return Outcome(Counter({"all": len(seeds), "numbers: toys": len(seeds)}), bad)


TOY = Kind("toy", 4, 3.0, _toy)


def toy(_name: str) -> Kind:
    return TOY
