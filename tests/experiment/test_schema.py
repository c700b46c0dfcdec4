"""JSON Schema: what mcusim reads is valid, what it refuses for a key or a type is not."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from mcusim.boards.load import board_names
from mcusim.experiment.schema import SCHEMAS
from mcusim.reports.report import Report
from mcusim.system.toml_file import read_toml
from tests.reports.reports import full_report

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

ROOT = Path(__file__).parents[2]
SMALL = '[dataset]\nname = "digits"\n[[model]]\nname = "cnn"\narchitecture = "cnn"\n'


def errors(kind: str, value: Any) -> list[str]:
    return [error.message for error in Draft202012Validator(SCHEMAS[kind]()).iter_errors(value)]


@pytest.mark.parametrize("kind", SCHEMAS)
def test_they_are_schemas(kind: str) -> None:
    schema = SCHEMAS[kind]()
    Draft202012Validator.check_schema(schema)
    assert "null" not in str(schema["properties"]) or kind == "report", "TOML has no null"


@pytest.mark.parametrize("path", sorted(ROOT.glob("examples/*/*.toml")), ids=lambda path: path.parent.name)
def test_examples_are_valid(path: Path) -> None:
    assert errors("experiment", read_toml(path)[0]) == []


@pytest.mark.parametrize("name", board_names())
def test_boards_and_their_chips_are_valid(name: str) -> None:
    board = read_toml(ROOT / "platforms" / "boards" / f"{name}.toml")[0]
    assert errors("board", board) == []
    assert errors("chip", read_toml(ROOT / "platforms" / "chips" / f"{board['chip']}.toml")[0]) == []


def test_a_report_is_valid() -> None:
    import json

    text = full_report().to_json()
    assert Report.from_json(text) and errors("report", json.loads(text)) == []


@pytest.mark.parametrize(
    "added",
    [
        '[target]\nkernels = "plain"\n',
        '[target]\nkernels = ["plain"]\nsamples = 3\n',
        '[target]\nkernels = { default = "auto", conv1 = ["plain"] }\nsamples = "all"\n',
        '[[quantization]]\ndata_type = "int8"\nlayers = { conv1 = "int16" }\n',
        '[[quantization]]\ndata_type = "as-stored"\nrescale = "single"\n',
        '[[quantization]]\ndata_type = "int8"\n[[quantization.layer]]\nname = "a"\nscheme = "per-layer"\n',
        "[expect]\naccuracy_min = 0.5\n[[expect_for]]\nboard = 'b'\nrom_bytes_max = 3\n",
        '[expect]\nrom_bytes_max = "8 KiB"\n[target]\nflash_max = "1 MiB"\nram_max = 4096\n',
        "[model_template]\ntraining = { epochs = 3 }\n",
        '[regress]\nlatency_ms = "2%"\nrom_bytes = 512\n',
    ],
)
def test_what_is_read_is_valid(added: str) -> None:
    assert errors("experiment", tomllib.loads(SMALL + added)) == []


@pytest.mark.parametrize(
    ("added", "told"),
    [
        ('[target]\nboard = ["b"]\n', "'board' was unexpected"),
        ("[target]\nsamples = 'most'\n", "not valid under any"),
        ('[[quantization]]\ndata_type = "int17"\n', "is not one of"),
        ('[[quantization]]\ndata_type = "int8"\nlayers = { conv1 = "float64" }\n', "is not one of"),
        (
            '[[quantization]]\ndata_type = "int8"\n[[quantization.layer]]\nscheme = "per-layer"\n',
            "'name' is a required",
        ),
        ('[[quantization]]\nscheme = "per-layer"\n', "'data_type' is a required property"),
        ("[expect]\naccuracy_min = 93\n", "greater than the maximum"),
        ("[regress]\nrom = 2\n", "'rom' was unexpected"),
        ("[datasets]\n", "'datasets' was unexpected"),
        ("[training]\nepochs = 0\n", "less than the minimum"),
    ],
)
def test_what_is_refused_is_not(added: str, told: str) -> None:
    [message] = errors("experiment", tomllib.loads(SMALL + added))
    assert told in message
