"""Random graphs through each front end -> how many of their tests fail (each holds a graph against its reference)."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping

from mcusim.system import command
from tools.bars.experiments import LONGEST_S, ROOT
from tools.bars.group import Group, NotHere, Place

TESTS = ("test_keras_graphs", "test_tflite_graphs", "test_onnx_graphs", "test_onnx_integers", "test_pytorch")
GRAPHS = 1_000


def _measure(_place: Place) -> Mapping[str, float]:
    files = [f"tests/models/{name}.py" for name in TESTS]
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *files]
    environment = {**os.environ, "MCUSIM_GRAPHS": str(GRAPHS)}
    done = command.run(words, folder=ROOT, environment=environment, timeout_s=2 * LONGEST_S)
    return {"random graphs, tests that fail": failures(done.stdout)}


def failures(said: str) -> int:
    """What pytest's last line counts as failed or as an error. Raises NotHere where it ran nothing."""
    last = said.rstrip().rpartition("\n")[2]
    if "passed" not in last and "failed" not in last:
        raise NotHere(f"pytest ran nothing: {last}")
    return sum(int(count) for count in re.findall(r"(\d+) (?:failed|error)", last))


GROUPS = (Group("random graphs", is_long=True, is_compiled=False, measure=_measure),)
