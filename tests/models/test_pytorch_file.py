"""A file of PyTorch is hostile until proved otherwise. Built by hand, without PyTorch."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcusim.models import read_model
from mcusim.models.pytorch.reader import read_whole
from mcusim.system.errors import McusimError, ModelError
from tests.onnx_files import graph_of
from tests.pt2_files import Pt2, meta, network, zipped


def refused(path: Path) -> str:
    with pytest.raises(ModelError) as caught:
        read_model(path, "model")
    assert caught.value.hint and caught.value.where == str(path)
    return caught.value.what


def test_a_network_is_read_without_pytorch(tmp_path: Path) -> None:
    program = network()
    made = read_whole(program.write(tmp_path / "m.pt2"), "model")
    assert [layer.kind for layer in made.source.graph] == ["Input", "Conv2D", "ReLU", "Reshape", "Dense"]
    x = np.asarray(np.random.default_rng(1).normal(size=(2, 3, 6, 5)), np.float32)
    padded = np.pad(x, ((0, 0), (0, 0), (1, 1), (1, 1)))
    kernel, matrix, bias = program.weights.values()
    windows = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), axis=(2, 3))
    planes = np.maximum(np.einsum("nchwij,ocij->nohw", windows, kernel), 0)
    np.testing.assert_allclose(graph_of(made, [x])[0][:, 0], planes.reshape(2, -1) @ matrix.T + bias, atol=1e-4)


def test_truncated_files_are_refused(tmp_path: Path) -> None:
    data = network().write(tmp_path / "m.pt2").read_bytes()
    for end in range(0, len(data), 211):
        (tmp_path / "m.pt2").write_bytes(data[:end])
        refused(tmp_path / "m.pt2")


def test_files_with_broken_bytes_are_read_or_refused(tmp_path: Path) -> None:
    """Checksums find most of it: here the graph alone is changed, and packed anew."""
    program, random = network(), np.random.default_rng(0)
    graph = program.entries()["m/models/model.json"]
    for _ in range(150):
        broken = bytearray(graph)
        for place in random.integers(0, len(graph), 2):
            broken[place] = random.integers(32, 127)
        path = program.write(tmp_path / "m.pt2", **{"m/models/model.json": bytes(broken)})
        try:
            read_model(path, "model")
        except McusimError as error:
            assert error.hint


@pytest.mark.parametrize("value", [None, 3, "x", [], {}, -1, 2**70, True, [[]], {"as_int": "x"}])
def test_values_of_any_type_in_any_place_are_read_or_refused(tmp_path: Path, value: Any) -> None:
    graph = network().graph
    places = list(_places(graph))
    for place in places[:: max(1, len(places) // 60)]:
        changed = json.loads(json.dumps(graph))
        inner = changed
        for key in place[:-1]:
            inner = inner[key]
        inner[place[-1]] = value
        path = network().write(tmp_path / "m.pt2", **{"m/models/model.json": json.dumps(changed).encode()})
        try:
            read_model(path, "model")
        except McusimError as error:
            assert error.hint


def test_a_name_that_is_none_is_told(tmp_path: Path) -> None:
    changed = json.loads(json.dumps(network().graph))
    spec = changed["graph_module"]["signature"]["output_specs"][0]
    spec["user_output"]["arg"]["as_tensor"]["name"] = 3.5
    path = network().write(tmp_path / "m.pt2", **{"m/models/model.json": json.dumps(changed).encode()})
    with pytest.raises(ModelError, match=r"a tensor is called 3\.5"):
        read_model(path, "model")


def _places(tree: Any, at: tuple[Any, ...] = ()) -> Any:
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, inner in items:
        yield (*at, key)
        yield from _places(inner, (*at, key))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"sizes": [{"as_int": 2**31}, {"as_int": 3}, {"as_int": 3}, {"as_int": 3}]}, "numbers for"),
        ({"strides": [{"as_int": 1}]}, "have the shape"),
        ({"strides": [{"as_int": -9}, {"as_int": 9}, {"as_int": 3}, {"as_int": 1}]}, "have the shape"),
        ({"storage_offset": {"as_int": 100}}, "numbers for"),
        ({"storage_offset": {"as_int": 2**63}}, "no size"),
        ({"dtype": 99}, "type 99"),
    ],
)
def test_weights_that_are_not_as_they_are_told(tmp_path: Path, change: dict[str, Any], why: str) -> None:
    program = network()
    program.config["layer0.weight"]["tensor_meta"] |= change
    assert why in refused(program.write(tmp_path / "m.pt2"))


def test_weights_may_lie_in_another_order(tmp_path: Path) -> None:
    """A transposed parameter is a view of its storage."""
    program = Pt2(1, 4)
    program.add("aten.linear", (1, 3), first="input", weight=program.weight(3, 4))
    stored = program.weights["layer0.weight"]
    program.config["layer0.weight"]["tensor_meta"]["strides"] = [{"as_int": 1}, {"as_int": 3}]
    layer: Any = read_model(program.write(tmp_path / "m.pt2"), "model").graph.layers[-1]
    assert (layer.kernel == stored.reshape(4, 3).T).all()


def test_pickles_are_not_read(tmp_path: Path) -> None:
    program = network()
    program.config["layer0.weight"]["use_pickle"] = True
    assert "pickled" in refused(program.write(tmp_path / "m.pt2"))
    (tmp_path / "old.pt2").write_bytes(zipped({"serialized_exported_program.json": b"{}", "version": b"1"}))
    assert "before 2.9" in refused(tmp_path / "old.pt2")
    (tmp_path / "none.pt2").write_bytes(zipped({"data.pkl": b"x"}))
    assert "holds no graph" in refused(tmp_path / "none.pt2")


def test_deep_nesting_and_bombs_are_refused(tmp_path: Path) -> None:
    program = network()
    assert refused(program.write(tmp_path / "m.pt2", **{"m/models/model.json": b"[" * 100_000}))
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("m/models/model.json", b" " * (80 * 2**20))
    (tmp_path / "m.pt2").write_bytes(data.getvalue())
    assert "too large" in refused(tmp_path / "m.pt2")


def test_all_nodes_that_have_no_kernel_are_told_at_once(tmp_path: Path) -> None:
    program = network()
    program.add("aten.fft_rfft", (1, 2))
    program.add("mine.trick", (1, 2))
    told = refused(program.write(tmp_path / "m.pt2"))
    assert "aten.fft_rfft" in told and "mine.trick" in told


def test_axes_that_are_left_open_are_refused_but_for_the_batch(tmp_path: Path) -> None:
    for shape, is_read in (((1, 4), True), (("s0", 4), True), ((1, "s1"), False)):
        program = Pt2(*shape)
        program.add("aten.relu", (1, 4))
        path = program.write(tmp_path / "m.pt2")
        assert (read_model(path, "model").graph.layers[-1].shape == (4,)) if is_read else "open" in refused(path)


def test_all_inputs_that_cannot_be_read_are_told_at_once(tmp_path: Path) -> None:
    program = Pt2(1, "s1")
    program.values["y"] = meta(1, "s2", 3)
    program.inputs.append("y")
    program.add("aten.relu", (1, 4))
    told = refused(program.write(tmp_path / "m.pt2"))
    assert "'x' leaves" in told and "'y' leaves" in told
