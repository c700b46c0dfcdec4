"""What a function of Keras can be called with in a file, and nobody can mean: refused by the layer's name."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from mcusim.models.keras.description import Ref
from mcusim.models.keras.operation import Operation
from mcusim.models.keras.operations import OPERATIONS
from mcusim.system.errors import ModelError

X, VECTOR, PLANE, CUBE = Ref(0), Ref(1), Ref(2), Ref(3)
SHAPES = {X: (6, 3), VECTOR: (5,), PLANE: (2, 4, 3), CUBE: (2, 2, 2, 2)}

REFUSED: list[tuple[str, list[Any], str]] = [
    ("abs", [3.0], "it is not called on a tensor"),
    ("add", [X], "lacks an argument"),
    ("add", [1.0, 2.0], "it is not called on a tensor"),
    ("add", [X, VECTOR], "a different number of axes"),
    ("multiply", [X, "much"], "'much' is no number"),
    ("multiply", [X, float("nan")], "NaN or infinity"),
    ("multiply", [X, [1.0, 2.0]], r"a constant of shape \(2,\) meets \(6, 3\)"),
    ("multiply", [X, np.ones((2, 3)).tolist()], "a constant of shape"),
    ("clip", [X, 1.0, 0.0], "clips to 1.0 .. 0.0"),
    ("celu", [X, 0.5], "another alpha than 1"),
    ("mean", [X, 7], "axis is 7"),
    ("mean", [X, "rows"], "axis is 'rows'"),
    ("mean", [X, [0, 1]], "works along the batch"),
    ("mean", [CUBE, 1], "goes along axes"),
    ("reshape", [X, "flat"], "reshapes to 'flat'"),
    ("reshape", [X, []], r"reshapes to \[\]"),
    ("reshape", [X, [7, 18]], "reshapes to a batch of 7"),
    ("reshape", [X, [-1, 9]], "with another batch"),
    ("squeeze", [X, 1], "squeezes"),
    ("transpose", [X, [1, 0, 2]], "and its batch"),
    ("transpose", [X, [0, 1]], "transposes"),
    ("concatenate", [[X, 1.0]], "joins what is no tensor"),
    ("stack", [X], "joins what is no tensor"),
    ("pad", [X, [[0, 0], [1, 1], [0, 0]], "reflect"], "pads in a way that has no kernel"),
    ("pad", [X, [[0, 0], [0, 0], [1, 0]]], "pads the batch or the channels"),
    ("getitem", [X, [0]], "a part of the batch"),
    ("getitem", [X, [{"start": None, "stop": None, "step": None}, 9]], "cuts nothing out of"),
    ("getitem", [X, [{"start": None, "stop": None, "step": None}, 1, 1]], "takes a single number"),
    ("getitem", [VECTOR, [{"start": None, "stop": None, "step": None}, 1, 1]], "more parts than"),
    ("getitem", [X, [{"start": None, "stop": None, "step": None}, "a"]], "is indexed with 'a'"),
    ("getitem", [CUBE, [{"start": None, "stop": None, "step": None}, 1]], "cuts something out of"),
    ("split", [X, "two", 1], "into 'two'"),
    ("split", [X, 4, 1], "into 4"),
    ("split", [X, [9], 1], r"into \[9\]"),
]


@pytest.mark.parametrize(("function", "arguments", "words"), REFUSED)
def test_what_nobody_can_mean_is_refused(function: str, arguments: list[Any], words: str) -> None:
    with pytest.raises(ModelError, match=words) as caught:
        OPERATIONS[function](Operation("mine", function, arguments, {}, SHAPES, None))
    assert caught.value.hint and "layer 'mine'" in caught.value.what
