"""`mcusim layers` tells what readers look up, and so do the tables of docs/experiment.md."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from click.testing import CliRunner

from mcusim.commands.inventory import FORMATS, layers
from mcusim.models import MODELS
from mcusim.models.onnx import operators
from mcusim.models.onnx.reader import CONSTANTS, kinds
from mcusim.models.pytorch.translate import TRANSLATORS
from mcusim.models.tflite.layers import CONVERTERS, IN_TYPES, TYPE_CHANGING, TYPES, VIEWS
from mcusim.models.tflite.reader import AROUND_A_CONVOLUTION, listings, read
from mcusim.system.errors import ModelError

DOCS = Path(__file__).parents[2] / "docs" / "experiment.md"


def section(title: str) -> set[str]:
    """Words of the table below that heading."""
    text = DOCS.read_text().partition(f"### {title}\n")[2].partition("\n#")[0]
    rows = [line.partition("|")[2] for line in text.splitlines() if line.startswith("| ")]
    return {word for row in rows for word in re.findall(r"\w+", row.partition("|")[2])}


def test_the_formats_are_those_that_are_read() -> None:
    assert sorted(one.NAME for one in MODELS) == sorted(FORMATS)


def test_a_format_alone_and_as_json(tmp_path: Path) -> None:
    every = CliRunner().invoke(layers).output
    assert max(map(len, every.splitlines())) <= 80 and all(f"{name} (." in every for name in FORMATS)
    for name in FORMATS:
        path = tmp_path / f"{name}.json"
        output = CliRunner().invoke(layers, ["--format", name, "--json", str(path)]).output
        assert output in every
        told = json.loads(path.read_text())
        tables = next(one for one in MODELS if name == one.NAME).listings()
        assert told["format"] == 1 and list(told["layers"]) == [name]
        for table in tables:
            assert {row: tuple(cells.values()) for row, cells in told["layers"][name][table.what].items()} == table.rows


def test_onnx_and_pytorch_name_all_that_can_be_read() -> None:
    own = {name for name in operators.CONVERTERS if not name.startswith(operators.OWN)}
    assert {name for name, kind in kinds().items() if kind in operators.GROUPS} == own - {"QuantizeLinear"}
    (pytorch,) = (one.listings()[0] for one in MODELS if one.NAME == "pytorch")
    assert {*pytorch.rows} > {*TRANSLATORS}


def test_docs_name_the_operators_of_onnx() -> None:
    told = {name.rpartition(".")[2] for name, kind in kinds().items() if kind in operators.GROUPS}
    assert not told - section("ONNX") and "Conv" in told
    foreign = {name for name, kind in kinds().items() if kind == CONSTANTS}
    assert not foreign & section("ONNX")


def test_docs_name_the_operators_of_tflite() -> None:
    words = {word for word in section("TensorFlow Lite") if re.fullmatch(r"[A-Z][A-Z0-9_]+", word)}
    assert words == {*listings()[0].rows} - {*AROUND_A_CONVOLUTION}


# -- numbers of TFLite's operators -------------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [0, 8, 16])
def test_what_is_said_of_numbers_is_so(bits: int, tmp_path: Path) -> None:
    """An operator is read in these numbers, or refused with the ones that it has."""
    from tests.tflite_cases import CASES
    from tests.tflite_files import File, Integers

    told, dtype = listings()[0].rows, TYPES[{0: 0, 8: 1, 16: 2}[bits]]
    column = TYPES.index(dtype)
    for name, make in CASES.items():
        kind = name.split()[0]
        if kind not in told:
            continue
        file = Integers(bits=bits, seed=1) if bits else File()
        path = tmp_path / "m.tflite"
        path.write_bytes(file.written(*make(file)))
        if told[kind][column] != "no":
            assert read(path, "m").graph.outputs, name
        else:
            with pytest.raises(ModelError, match=f"computes with {dtype}") as caught:
                read(path, "m")
            assert str(caught.value.hint).startswith("use float32")


def test_tables_of_tflite_name_only_what_there_is() -> None:
    assert {*IN_TYPES, *TYPE_CHANGING} <= {*CONVERTERS} and not {*VIEWS} & {*CONVERTERS}
