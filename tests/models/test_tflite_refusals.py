"""What an operator of a `.tflite` file can say, and no kernel has or nobody can mean: refused by its name."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mcusim.models import read_model
from mcusim.system.errors import ModelError
from tests.tflite_cases import VALID, Make, conv, dense, depthwise, joined, one, prelu, split, transposed, two
from tests.tflite_files import File, reals

NAN = np.array([0.5, np.nan, 1.0], np.float32)
PLANE = (1, 3, 4, 2)

REFUSED: dict[str, tuple[Make, str]] = {
    "an order of other axes": (one("TRANSPOSE", PLANE, (1, 4, 3, 2), (0, 2, 2, 3)), "has the order"),
    "a slice beyond its end": (one("SLICE", (1, 5, 6), (1, 3, 5), (0, 2, 4), (1, 3, 5)), "cuts"),
    "a place that is not there": (one("GATHER", (1, 4, 3), (1, 3), np.int32(4), axis=1), "takes the places [4]"),
    "places at no even steps": (one("GATHER", (1, 5, 3), (1, 3, 3), (0, 1, 4), axis=1), "not as far from each other"),
    "a split with a rest": (split("SPLIT", (1, 4, 5), -1, (2, 2)), "splits"),
    "a split of other sizes": (split("SPLIT_V", (1, 5, 2), 1, (2, 2)), "splits"),
    "an activation inside": (
        one("CONCATENATION", (1, 2, 3), (1, 2, 3), axis=2, fusedActivationFunction=1),
        "has an activation inside",
    ),
    "shapes that do not join": (joined("CONCATENATION", ((1, 2, 3), (1, 3, 1)), (1, 2, 4), -1), "joins"),
    "a mirror that is too short": (
        one("MIRROR_PAD", (1, 3, 4), (1, 8, 4), ((0, 0), (4, 1), (0, 0)), mode=0),
        "mirrors",
    ),
    "blocks of too few channels": (one("DEPTH_TO_SPACE", (1, 2, 3, 6), (1, 4, 6, 1), blockSize=2), "moves blocks of 2"),
    "blocks of too few rows": (one("SPACE_TO_DEPTH", (1, 3, 6, 3), (1, 2, 3, 12), blockSize=2), "moves blocks of 2"),
    "less than no padding": (one("PAD", (1, 3, 2), (1, 2, 2), ((0, 0), (-1, 0), (0, 0))), "pads by"),
    "a mean of no axis": (one("MEAN", (1, 5, 3), (1, 3), (3,)), "goes along axes"),
    "shapes that do not meet": (two("ADD", (1, 4, 3), (1, 3, 4), (1, 4, 3)), "merges shapes"),
    "a division by a tensor": (two("DIV", (1, 4), (1, 4), (1, 4)), "divides by a tensor"),
    "a division by nothing": (one("DIV", (1, 4, 3), (1, 4, 3), np.zeros(3, np.float32)), "divides by 0"),
    "weights of other channels": (conv((1, 5, 6, 3), (4, 2, 2, 2), (1, 4, 5, 4)), "has weights of shape"),
    "weights of no multiple": (depthwise((1, 5, 6, 2), (1, 2, 2, 3), (1, 4, 5, 3)), "has weights of shape"),
    "weights of other inputs": (dense((1, 5), 3, (1, 3), 4), "has weights of shape"),
    "an unknown activation": (
        conv((1, 5, 6, 2), (4, 2, 2, 2), (1, 4, 5, 4), fusedActivationFunction=5),
        "has the activation 5 inside",
    ),
    "spread from other channels": (
        transposed((1, 2, 3, 2), (4, 3, 3, 3), (1, 4, 6, 4), strideH=2, strideW=2, padding=VALID),
        "has weights of shape",
    ),
    "spread to another plane": (
        transposed((1, 2, 3, 2), (4, 3, 3, 2), (1, 9, 9, 4), strideH=2, strideW=2, padding=VALID),
        "turns (2, 3, 2) into",
    ),
    "slopes of another shape": (prelu((1, 2, 4, 3), (2, 1)), "PRELU"),
    "weights that are no numbers": (one("MUL", (1, 4, 3), (1, 4, 3), NAN), "NaN"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_no_kernel_has_is_refused_by_its_name(case: str, tmp_path: Path) -> None:
    make, words = REFUSED[case]
    file = File()
    (tmp_path / "m.tflite").write_bytes(file.written(*make(file)))
    with pytest.raises(ModelError) as caught:
        read_model(tmp_path / "m.tflite", "m")
    assert words in caught.value.what and "layer '" in caught.value.what and caught.value.hint


@pytest.mark.parametrize(
    ("kernel", "words"), [(reals((3, 4)) * np.inf, "NaN or infinite"), (reals((3,)), "of shape (3,)")]
)
def test_weights_that_cannot_be_are_refused(kernel: np.ndarray, words: str, tmp_path: Path) -> None:
    file = File()
    start, end = file.tensor((1, 4)), file.tensor((1, 3))
    file.op("FULLY_CONNECTED", (start, file.weights(kernel)), (end,))
    (tmp_path / "m.tflite").write_bytes(file.written((start,), (end,)))
    with pytest.raises(ModelError) as caught:
        read_model(tmp_path / "m.tflite", "m")
    assert words in caught.value.what and caught.value.hint
