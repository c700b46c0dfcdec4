"""Random graphs through each front end -> how many of their tests fail (each holds a graph against its reference)."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Mapping
from functools import partial

from mcusim.system import command
from tools.bars.experiments import LONGEST_S, ROOT
from tools.bars.group import Group, NotHere, Place

TESTS = {  # by front end: files, and what the names of their tests have that draw graphs
    "Keras": (("test_keras_graphs",), "random_graphs"),
    ".tflite": (("test_tflite_graphs",), "networks_of"),
    "ONNX": (("test_onnx_graphs", "test_onnx_integers"), "random"),
    "PyTorch": (("test_pytorch",), "random_programs"),
}
GRAPHS = 1_000


def _measure(front: str, _place: Place) -> Mapping[str, float]:
    names, drawn = TESTS[front]
    files = [f"tests/models/{name}.py" for name in names]
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-n", "auto", "-k", drawn, *files]
    environment = {**os.environ, "MCUSIM_GRAPHS": str(GRAPHS)}
    done = command.run(words, folder=ROOT, environment=environment, timeout_s=LONGEST_S)
    return {f"random graphs of {front}, tests that fail": failures(done.stdout)}


def failures(said: str) -> int:
    """What pytest's last line counts as failed or as an error. Raises NotHere where it ran nothing."""
    last = said.rstrip().rpartition("\n")[2]
    if not re.search("passed|failed|error", last):
        raise NotHere(f"pytest ran nothing: {last}")
    return sum(int(count) for count in re.findall(r"(\d+) (?:failed|error)", last))


GROUPS = tuple(
    Group(f"random graphs of {front}", is_long=True, is_compiled=False, measure=partial(_measure, front))
    for front in TESTS
)
