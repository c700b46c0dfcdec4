"""A file that QEMU and its plug-in wrote in this folder -> another one, by chance: what an engine may be told.

Run by a script that stands in for QEMU, after the real one: `python -m tools.fuzz.damage SEED CODE`.
"""

from __future__ import annotations

import random
import sys
from pathlib import Path

from tools.fuzz.mutations import NAMES, mutated

KEPT = ("input.bin", "engine.log")


def main() -> int:
    seed, code = sys.argv[1:]
    chance, files = random.Random(int(seed)), [one for one in sorted(Path().iterdir()) if one.is_file()]
    written = [one for one in files if one.name not in KEPT]
    was_profiled = Path("samples.bin") in files
    is_this_one = was_profiled == (int(seed) % 2 == 0)  # samples are run twice, the second time a few, and profiled
    if not written or not is_this_one or Path("input.bin") not in files:  # the last: it was asked what it can do
        return int(code)
    if chance.random() < 0.3:
        print(chance.choice(NAMES).encode("utf-8", "replace").decode() * chance.choice((1, 1000)))
    one = chance.choice(written)
    if chance.random() < 0.1:
        one.unlink()
    else:
        one.write_bytes(mutated(chance, (one.read_bytes(),)))
    return chance.choice((int(code),) * 6 + (1, 11, 20, 77))


if __name__ == "__main__":
    sys.exit(main())
