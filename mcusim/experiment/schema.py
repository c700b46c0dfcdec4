"""The tables of experiment files, boards, chips and reports as JSON Schema, for editors and checkers."""

from collections.abc import Callable, Mapping
from typing import Any

from pydantic import BaseModel, TypeAdapter

from mcusim.experiment.approximation import Approximation
from mcusim.experiment.cascade import Cascade
from mcusim.experiment.exploration import Explore
from mcusim.experiment.quantization import Quantization
from mcusim.experiment.tables import DatasetChoice, Expect, ExpectFor, General, Model, Regress, Target, TaskChoice
from mcusim.training.settings import TrainingSettings

DIALECT = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]


def experiment_schema() -> Schema:
    """Of an experiment file. What several keys must have together is left to `mcusim run`, which says it better."""
    tables: dict[str, Schema] = {
        "experiment": _loose(General),
        "dataset": _table(DatasetChoice),
        "task": _table(TaskChoice),
        "training": _table(TrainingSettings),
        "model_template": _loose(Model),
        "model": _array(Model),
        "quantization": _array(Quantization),
        "approximation": {"anyOf": [_table(Approximation), _array(Approximation)]},
        "target": _table(Target),
        "expect": _table(Expect),
        "expect_for": _array(ExpectFor),
        "regress": _table(Regress),
        "explore": _table(Explore),
        "cascade": _table(Cascade),
    }
    own = {"type": "object", "properties": tables, "required": ["model"], "additionalProperties": False}
    return {"$schema": DIALECT, "title": "mcusim experiment", **own}


def board_schema() -> Schema:
    """Of a board's file, which names its chip by the name of a file and is named by its own."""
    from mcusim.boards.board import Board

    schema = _without(_table(Board), "name")
    schema["properties"]["chip"] = {"type": "string", "description": "a name from platforms/chips, or a TOML file"}
    return {"$schema": DIALECT, "title": "mcusim board", **schema}


def chip_schema() -> Schema:
    from mcusim.boards.chip import Chip

    return {"$schema": DIALECT, "title": "mcusim chip", **_without(_table(Chip), "name")}


def hardware_schema() -> Schema:
    """Of a map of real boards."""
    from mcusim.engines.hardware.attached import HardwareMap

    return {"$schema": DIALECT, "title": "mcusim hardware", **_table(HardwareMap)}


def report_schema() -> Schema:
    """Of report.json. A newer mcusim may add keys."""
    from mcusim.reports.report import Report

    return {"$schema": DIALECT, **TypeAdapter(Report).json_schema(mode="serialization"), "title": "mcusim report"}


SCHEMAS: Mapping[str, Callable[[], Schema]] = {
    "experiment": experiment_schema,
    "board": board_schema,
    "chip": chip_schema,
    "hardware": hardware_schema,
    "report": report_schema,
}


def _table(kind: type[BaseModel]) -> Schema:
    """With all that it refers to inside, and without null, which TOML does not have."""
    whole = kind.model_json_schema()
    return _plain(whole, whole.pop("$defs", {}))  # type: ignore[no-any-return]


def _array(kind: type[BaseModel]) -> Schema:
    return {"type": "array", "items": _table(kind)}


def _loose(kind: type[BaseModel]) -> Schema:
    """Where what is missing comes from elsewhere."""
    return {key: value for key, value in _table(kind).items() if key != "required"}


def _without(schema: Schema, name: str) -> Schema:
    properties = {key: value for key, value in schema["properties"].items() if key != name}
    return {**schema, "properties": properties, "required": [key for key in schema["required"] if key != name]}


def _plain(value: Any, definitions: Mapping[str, Any]) -> Any:
    if isinstance(value, list):
        return [_plain(one, definitions) for one in value]
    if not isinstance(value, dict):
        return value
    if "$ref" in value:
        others = {key: one for key, one in value.items() if key != "$ref"}
        return _plain({**definitions[value["$ref"].rpartition("/")[2]], **others}, definitions)
    kept = {key: one for key, one in value.items() if not (key == "title" and isinstance(one, str))}
    if kept.get("default", 0) is None:
        del kept["default"]
    arms = [one for one in kept.pop("anyOf", []) if one != {"type": "null"}]
    kept |= arms[0] if len(arms) == 1 else {"anyOf": arms} if arms else {}
    if "$ref" in kept:
        return _plain(kept, definitions)
    return {key: _plain(one, definitions) for key, one in kept.items()}
