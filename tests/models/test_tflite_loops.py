"""Loops that count, and variables: what TensorFlow Lite Micro computes step by step, and call by call."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcusim.graph import Graph
from mcusim.models import read_model
from mcusim.system.arrays import Array
from mcusim.system.errors import ModelError
from mcusim.system.records import fields_of, records_of
from tests.compiled import run_compiled
from tests.tflite_files import File, reals
from tests.tflm import TFLM

STEPS, FEATURES, UNITS = 4, 3, 2
KERNEL, RECURRENT = reals((UNITS, FEATURES), seed=1), reals((UNITS, UNITS), seed=2)
X = reals((5, STEPS, FEATURES), seed=3)
LISTS = "CUSTOM:FlexTensorList"


def read(content: bytes, folder: Path) -> Graph:
    (folder / "m.tflite").write_bytes(content)
    return read_model(folder / "m.tflite", "m").graph


def condition(body: File, shapes: list[tuple[tuple[int, ...], str]], limit: int | None) -> None:
    """count < limit, or a number that is computed."""
    file = body.inner()
    given, end = [file.tensor(*shape) for shape in shapes], file.tensor((), "bool")
    place, most = (1, file.constant(np.float32(0), "float32")) if limit is None else (0, file.constant(np.int32(limit)))
    file.op("LESS", (given[place], most), (end,))
    file.ends(given, (end,))


def recurrent(how: str, limit: int | None = STEPS) -> bytes:
    """A plain recurrent layer. Its output is the last state, or all that a list has, `joined` or of `flex`."""
    file = File()
    start, series = file.tensor((1, STEPS, FEATURES)), file.tensor((STEPS, 1, FEATURES))
    file.op("TRANSPOSE", (start, file.constant([1, 0, 2])), (series,))
    listed = ((), "variant") if how == "flex" else ((STEPS, 1, UNITS), "float32")
    carried = [((), "int32"), ((1, UNITS), "float32"), listed, ((STEPS, 1, FEATURES), "float32")]
    body = file.inner()
    count, state, found, whole = (body.tensor(*shape) for shape in carried)
    step, sums, more, new = (body.tensor((1, size)) for size in (FEATURES, UNITS, UNITS, UNITS))
    total, after = body.tensor((1, UNITS)), body.tensor((), "int32")
    body.op("GATHER", (whole, count), (step,))
    body.op("FULLY_CONNECTED", (step, body.weights(KERNEL)), (sums,))
    body.op("FULLY_CONNECTED", (state, body.weights(RECURRENT)), (more,))
    body.op("ADD", (sums, more), (total,))
    body.op("TANH", (total,), (new,))
    body.op("ADD", (count, body.constant(np.int32(1))), (after,))
    body.ends((count, state, found, whole), (after, new, stored(body, how, (count, after), found, new), whole))
    condition(body, carried, limit)
    first, beside = file.constant(np.zeros((1, UNITS), np.float32), "float32"), file.constant(np.int32(0))
    empty = file.tensor(*listed) if how == "flex" else file.constant(np.zeros(listed[0], np.float32), "float32")
    if how == "flex":
        file.op(f"{LISTS}Reserve", (file.constant([-1, UNITS]), file.constant(np.int32(STEPS))), (empty,))
    ends = [file.tensor(*shape) for shape in carried]
    file.op("WHILE", (beside, first, empty, series), ends, condSubgraphIndex=2, bodySubgraphIndex=1)
    end = ends[1] if how == "state" else ends[2]
    if how == "flex":
        end = file.tensor((STEPS, 1, UNITS))
        file.op(f"{LISTS}Stack", (ends[2], file.constant([-1, UNITS])), (end,))
    return file.written((start,), (end,))


def stored(body: File, how: str, places: tuple[int, int], found: int, new: int) -> int:
    """The list with one more in it."""
    if how == "state":
        return found
    end = body.tensor((), "variant") if how == "flex" else body.tensor((STEPS, 1, UNITS))
    if how == "flex":
        body.op(f"{LISTS}SetItem", (found, places[0], new), (end,))
        return end
    zeros, ones = body.constant([0, 0]), body.constant([-1, -1])
    parts = []
    for place, other, before in ((places[0], ones, True), (places[1], zeros, False)):
        one, three, part = body.tensor((1,), "int32"), body.tensor((3,), "int32"), body.tensor((STEPS, 1, UNITS))
        body.op("RESHAPE", (place, body.constant([1])), (one,))
        body.op("CONCATENATION", (one, other), (three,), axis=0)
        cut = (body.constant([0, 0, 0]), three) if before else (three, body.constant([-1, -1, -1]))
        body.op("SLICE", (found, *cut), (part,))
        parts.append(part)
    row = body.tensor((1, 1, UNITS))
    body.op("EXPAND_DIMS", (new, body.constant(np.int32(0))), (row,))
    body.op("CONCATENATION", (parts[0], row, parts[1]), (end,), axis=0)
    return end


def states(x: Array) -> Array:
    """(N, steps, units), as the layer is defined."""
    found, state = [], np.zeros((len(x), UNITS), np.float32)
    for step in range(x.shape[1]):
        state = np.tanh(x[:, step] @ KERNEL.T + state @ RECURRENT.T)
        found.append(state)
    return np.stack(found, axis=1)


@pytest.mark.parametrize("how", ["state", "joined", "flex"])
def test_a_loop_is_its_body_as_often_as_it_runs(how: str, tmp_path: Path) -> None:
    content = recurrent(how)
    answers = read(content, tmp_path).run(X)
    expected = states(X)[:, -1] if how == "state" else states(X)
    np.testing.assert_allclose(answers, expected.reshape(len(X), -1), rtol=1e-5, atol=1e-6)
    if how == "state":
        (theirs,), _ = TFLM.run(content, [X[:, None]], [])
        np.testing.assert_allclose(answers, theirs.reshape(len(X), -1), rtol=1e-5, atol=1e-6)


def test_weights_of_a_loop_are_there_once(tmp_path: Path) -> None:
    dense = [layer for layer in read(recurrent("state"), tmp_path) if layer.kind == "Dense"]
    kernels: list[Any] = [layer.weights["kernel"] for layer in dense]
    assert len(kernels) == 2 * STEPS and len({kernel.tobytes() for kernel in kernels}) == 2


@pytest.mark.parametrize(
    ("limit", "what"), [(None, "ends when its inputs say so"), (10**9, "more than 4096 layers")], ids=["data", "long"]
)
def test_loops_that_cannot_be_followed(limit: int | None, what: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=what) as caught:
        read(recurrent("state", limit), tmp_path)
    assert "unroll=True" in (caught.value.hint or "")


def endless(body: str) -> bytes:
    """A loop whose condition is a constant, or that is in itself, or that takes what is no list for one."""
    file = File()
    start, end = file.tensor((1, 3)), file.tensor((1, 3))
    inner = file.inner()
    given, made = inner.tensor((1, 3)), inner.tensor((1, 3))
    if body == "itself":
        inner.op("WHILE", (given,), (made,), condSubgraphIndex=2, bodySubgraphIndex=1)
    elif body == "no list":
        inner.op(f"{LISTS}Stack", (given, inner.constant([1])), (made,))
    inner.ends((given,), (given if body == "nothing" else made,))
    condition = inner.inner()
    condition.ends((condition.tensor((1, 3)),), (condition.constant([True], "bool"),))
    file.op("WHILE", (start,), (end,), condSubgraphIndex=2, bodySubgraphIndex=1)
    return file.written((start,), (end,))


@pytest.mark.parametrize("body", ["nothing", "itself", "no list"])
def test_hostile_loops_end(body: str, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"more than 4096 layers|cannot be understood") as caught:
        read(endless(body), tmp_path)
    assert "unroll=True" in (caught.value.hint or "")


def delay(*, begun: bool = True, written: bool = True) -> bytes:
    """The sum of all inputs so far, which a variable keeps."""
    file = File()
    start, kept, end = (file.tensor((1, 3)) for _ in range(3))
    handle = file.tensor((), "resource")
    file.op("CALL_ONCE", (), (), initSubgraphIndex=1)
    file.op("VAR_HANDLE", (), (handle,), sharedName="stream/before")
    file.op("READ_VARIABLE", (handle,), (kept,))
    file.op("ADD", (start, kept), (end,))
    if written:
        file.op("ASSIGN_VARIABLE", (handle, end), ())
    setting = file.inner()
    own = setting.tensor((), "resource")
    setting.op("VAR_HANDLE", (), (own,), sharedName="stream/before" if begun else "another")
    setting.op("ASSIGN_VARIABLE", (own, setting.constant(np.float32([[1, 2, 3]]), "float32")), ())
    setting.ends((), ())
    return file.written((start,), (end,))


def test_variables_are_inputs_and_outputs(tmp_path: Path) -> None:
    graph = read(delay(), tmp_path)
    assert [layer.name for layer in graph.inputs] == ["t0", "before"]
    assert [output.name for output in graph.outputs] == ["t2", "before_next"]
    assert "begin with 0" in graph.notes[0]
    first, second = reals((2, 5, 3), seed=4)
    found = fields_of(graph.run(records_of({"t0": first, "before": second})))
    np.testing.assert_array_equal(found["t2"], first + second)
    np.testing.assert_array_equal(found["before_next"], first + second)


def test_a_variable_that_no_call_writes_is_a_constant(tmp_path: Path) -> None:
    np.testing.assert_array_equal(read(delay(written=False), tmp_path).run(X[:, 0]), X[:, 0] + np.float32([1, 2, 3]))
    with pytest.raises(ModelError, match="nothing has written"):
        read(delay(written=False, begun=False), tmp_path)


def test_a_first_state_of_other_numbers_than_the_input(tmp_path: Path) -> None:
    """Integers behind an input of reals: what is computed of constants alone, as of a state that is 0."""
    file = File()
    told: dict[str, Any] = {"dtype": "int8", "scale": 0.05, "zero": 3}
    start, whole, more, end = file.tensor((1, 4)), *(file.tensor((1, 4), **told) for _ in range(3))
    state = file.constant(np.full((1, 4), 0.25, np.float32), "float32")
    file.op("QUANTIZE", (start,), (whole,))
    first = file.tensor((1, 4), **told)
    file.op("QUANTIZE", (state,), (first,))
    kernel = file.constant(np.eye(4) * 100, "int8", scale=0.01)
    file.op("FULLY_CONNECTED", (first, kernel), (more,))
    file.op("ADD", (whole, more), (end,))
    graph = read(file.written((start,), (end,)), tmp_path)
    x = reals((6, 4), seed=5)
    expected = np.round(x / 0.05) * 0.05 + 0.25
    np.testing.assert_allclose(graph.decode(graph.run(x)), expected, atol=0.051)
    np.testing.assert_array_equal(run_compiled(graph, x), graph.run(x))
