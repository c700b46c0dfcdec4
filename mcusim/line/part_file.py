"""Part <-> bytes: JSON and arrays, of which nothing is believed when they are read."""

from dataclasses import dataclass, field, fields
from functools import cache
from typing import Any, ClassVar, Literal

import numpy as np
from pydantic import ConfigDict, TypeAdapter

from mcusim.engines.engine import Execution, Silicon
from mcusim.line.part import Part, Span, StoredNumbers
from mcusim.line.score import Wanted
from mcusim.reports.report import Run
from mcusim.system.arrays import Array
from mcusim.system.packed import pack, unpack
from mcusim.system.records import fields_of
from mcusim.tasks import task_named
from mcusim.tasks.task import Asked, Judge

FORMAT: Literal[1] = 1
_COLUMNS = ("labels", "samples", "of_float")  # of Wanted, where there are some


@dataclass(frozen=True)
class _Asked:
    """As `Asked`, without the targets, which samples have as labels."""

    model: str
    dataset: str
    output: str
    shape: tuple[int, ...]
    end: str
    inputs: tuple[tuple[int, ...], ...]
    classes: tuple[str, ...]
    threshold: float | None
    top_k: int | None


@dataclass(frozen=True)
class _Output:
    name: str
    task: str
    asked: _Asked
    dtype: str
    elements: int


@dataclass(frozen=True)
class _Execution:
    """As `Execution`, without arrays."""

    wall_s: float
    engine: str
    engine_version: str
    total_instructions: int
    emulated_mips: float | None
    stack_bytes: int | None
    notes: tuple[str, ...]
    cached: bool
    silicon: Silicon | None = None


@dataclass(frozen=True)
class _Head:
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    format: Literal[1]
    run: Run
    label: str
    work: str
    span: Span
    execution: _Execution
    outputs: tuple[_Output, ...]
    ram_max: int | None = field(default=None)


@cache
def _adapter() -> TypeAdapter[_Head]:
    return TypeAdapter(_Head)


def packed(part: Part) -> bytes:
    """Of one that is complete."""
    execution = part.execution
    arrays = {"answers": execution.answers, "positions": part.positions}
    if execution.instructions is not None:
        arrays["instructions"] = execution.instructions
    if execution.cycle_counter is not None:
        arrays["cycle_counter"] = execution.cycle_counter
    outputs = []
    types = fields_of(np.empty(0, part.answer))
    got = fields_of(np.frombuffer(execution.answers.tobytes(), part.answer))
    for number, (name, wanted) in enumerate(part.wanted.items()):
        outputs.append(
            _Output(
                name,
                wanted.judge.task.NAME,
                _Asked(**_same(wanted.judge.asked, _Asked)),
                types[name].dtype.str,
                types[name].shape[1],
            )
        )
        arrays[f"expected {number}"] = wanted.expected
        for column in _COLUMNS:
            if (values := getattr(wanted, column)) is not None:
                arrays[f"{column} {number}"] = values
        if wanted.numbers is not None:
            numbers = StoredNumbers.of(wanted.numbers, got[name], wanted.expected)
            arrays |= {f"stored {number}": numbers.stored, f"real {number}": numbers.real}
    told = _Execution(**_same(execution, _Execution))
    head = _Head(FORMAT, part.run, part.label, part.work, part.span, told, tuple(outputs), part.ram_max)
    return pack(_adapter().dump_json(head).decode(), arrays)


def _same(value: Any, kind: type) -> dict[str, Any]:
    return {one.name: getattr(value, one.name) for one in fields(kind)}


def unpacked(data: bytes) -> Part:
    """Raises ValueError for what is damaged, of another version, or cannot be."""
    text, arrays = unpack(data)
    head = _adapter().validate_json(text)
    count, answers = head.span.end - head.span.first, _taken(arrays, "answers")
    answer = _answer(head.outputs)
    if answers.shape != (count, answer.itemsize) or answers.dtype != np.uint8 or count < 1:
        raise ValueError("its answers are not those of its samples")
    wanted = {one.name: _wanted(one, number, arrays, count) for number, one in enumerate(head.outputs)}
    execution = Execution(
        answers=answers,
        indices=np.arange(count),
        instructions=_of_each(arrays, "instructions", count),
        cycle_counter=_of_each(arrays, "cycle_counter", count),
        **_same(head.execution, _Execution),
    )
    positions = _of_each(arrays, "positions", count)
    if positions is None or positions.dtype != np.int64:
        raise ValueError("it does not tell which samples it has")
    return Part(head.run, head.label, head.work, head.span, execution, answer, wanted, positions, head.ram_max)


def _answer(outputs: tuple[_Output, ...]) -> np.dtype[Any]:
    members = [(one.name, one.dtype, (one.elements,)) for one in outputs]
    return np.dtype(members[0][1:]) if len(members) == 1 else np.dtype(members, align=True)


def _wanted(output: _Output, number: int, arrays: dict[str, Array], count: int) -> Wanted:
    expected = _taken(arrays, f"expected {number}")
    if expected.shape != (count, output.elements) or expected.dtype != np.dtype(output.dtype):
        raise ValueError("it does not tell what its samples should be answered")
    columns = {name: _of_each(arrays, f"{name} {number}", count) for name in _COLUMNS}
    numbers = None
    if f"stored {number}" in arrays:
        numbers = StoredNumbers(_taken(arrays, f"stored {number}"), _taken(arrays, f"real {number}"))
        if numbers.stored.ndim != 1 or numbers.real.shape != numbers.stored.shape or not numbers.stored.size:
            raise ValueError("it does not tell what its numbers mean")
    judge = Judge(task_named(output.task), Asked(**_same(output.asked, _Asked)))
    return Wanted(judge, expected, numbers, **columns)


def _taken(arrays: dict[str, Array], name: str) -> Array:
    if name not in arrays:
        raise ValueError(f"it has no {name}")
    return arrays[name]


def _of_each(arrays: dict[str, Array], name: str, count: int) -> Array | None:
    """A row for each sample; None where there are none."""
    if name in arrays and len(arrays[name]) != count:
        raise ValueError(f"it has {len(arrays[name])} {name} of {count} samples")
    return arrays.get(name)
