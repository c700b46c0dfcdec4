"""Program -> Sources: the C library of a model, still in memory."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import jinja2
import numpy as np

from mcusim.graph import Shape
from mcusim.line.lower import Constant, KernelCall, Place, Program, Step
from mcusim.line.sources import Sources
from mcusim.numbers.power_of_two import Array
from mcusim.system.assets import CODEGEN

LINE_WIDTH = 116
INCLUDE = re.compile(r'^#include "(nn_\w+\.h)"', re.MULTILINE)


def emit_library(program: Program, *, mean: Sequence[float] = (), deviation: Sequence[float] = ()) -> Sources:
    """Everything that a C project needs to call `cnn()`: model.c, its headers and the kernels it uses.

    `mean`, `deviation`: z-score of the training set for each channel, written into model.h when given.
    """
    title = f"{plain_comment(program.name)}: {program.data_type} {program.scheme}".rstrip()
    kernels = _kernel_headers(program)
    files = {
        "model.c": _render("model.c.j2", title=title, headers=_direct(program), **_model(program)),
        "model.h": _render("model.h.j2", title=title, **_header(program, mean, deviation)),
        "weights.h": _render("weights.h.j2", title=f"Weights of {title}", arrays=_arrays(program)),
        "number_config.h": _render(
            "number_config.h.j2",
            data_type=program.data_type,
            number_bits=program.number_bits,
            accumulator_bits=program.accumulator_bits,
        ),
        **kernels,
    }
    return Sources(files)


def _render(template: str, **values: Any) -> str:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(CODEGEN / "templates"),
        undefined=jinja2.StrictUndefined,
        line_statement_prefix="%%",
        keep_trailing_newline=True,
        autoescape=False,  # C, not HTML: every name in it went through `c_names` or `plain_comment`
    )
    return environment.get_template(template).render(**values)


def plain_comment(text: str) -> str:
    """A user's name inside a C comment: plain characters only."""
    return re.sub(r"[^A-Za-z0-9_.,+ -]", "?", text)[:80]


def _direct(program: Program) -> list[str]:
    """Headers of the kernels that the program calls."""
    return sorted({f"nn_{call.kernel}.h" for step in program.steps for call in step.code.calls})


def _kernel_headers(program: Program) -> dict[str, str]:
    """Texts of number.h, the kernels and what they include."""
    texts: dict[str, str] = {}
    waiting = ["number.h", *_direct(program)]
    while waiting:
        name = waiting.pop()
        if name not in texts:
            texts[name] = (CODEGEN / "kernels" / name).read_text(encoding="utf-8")
            waiting.extend(INCLUDE.findall(texts[name]))
    return dict(sorted(texts.items()))


def _model(program: Program) -> dict[str, Any]:
    return {
        "arena_elements": program.arena_elements,
        "layers": [_layer(program, step) for step in program.steps],
        "body": [_call(step) for step in program.steps],
    }


def _layer(program: Program, step: Step) -> dict[str, Any]:
    shapes = " + ".join(map(_shape, step.input_shapes))
    facts = [f"{step.kind} {shapes} -> {_shape(step.shape)}"]
    facts += [f"{step.macs} MACs"] if step.macs else []
    facts += [str(step.format)] if step.format else []
    source = "const number_t *input" if len(step.sources) == 1 else "const number_t *const *inputs"
    return {
        "comment": f"{plain_comment(step.name)}: {', '.join(facts)}",
        "function": step.function,
        "input": source,
        "calls": [_kernel_call(program, step, call) for call in step.code.calls],
    }


def _kernel_call(program: Program, step: Step, call: KernelCall) -> dict[str, Any]:
    roles = {constant.role for constant in step.code.constants}
    arguments = [f"{step.function}_{name}" if name in roles else name for name in call.arguments]
    return {
        "function": f"nn_{call.kernel}_{program.storage}",
        "arguments": ", ".join(arguments),
        "type": f"nn_{call.kernel}_t",
        "fields": [f".{name} = {_literal(value)}" for name, value in call.parameters.items()],
    }


def _call(step: Step) -> str:
    """The line of `cnn()` that runs a layer."""
    sources = [_place(source) for source in step.sources]
    argument = sources[0] if len(sources) == 1 else f"(const number_t *const[]){{{', '.join(sources)}}}"
    return f"{step.function}({argument}, {_place(step.sink)});"


def _place(place: Place) -> str:
    return place.region if place.region != "arena" else f"arena + {place.offset}"


def _shape(shape: Shape) -> str:
    return "x".join(map(str, shape))


def _literal(value: Any) -> str:
    if isinstance(value, (float, np.floating)):
        return _float(float(value))
    if isinstance(value, tuple):
        return "{" + ", ".join(map(str, value)) + "}"
    return str(value)


def _float(value: float) -> str:
    """Nine digits bring back every float32 exactly."""
    text = f"{value:.9g}"
    return text + ("f" if any(mark in text for mark in ".en") else ".0f")


def _header(program: Program, mean: Sequence[float], deviation: Sequence[float]) -> dict[str, Any]:
    return {
        "dimensions": _dimensions(program.input_shape),
        "input_elements": program.input_elements,
        "output_elements": program.output_elements,
        "input_fraction": program.input_format.fraction if program.input_format else 0,
        "output_fraction": program.output_format.fraction if program.output_format else 0,
        "mean": _vector(mean),
        "deviation": _vector(deviation),
    }


def _vector(values: Sequence[float]) -> str:
    return "{" + ", ".join(_float(float(value)) for value in values) + "}" if len(values) else ""


def _dimensions(shape: Shape) -> list[tuple[str, int]]:
    names = {1: ("CHANNELS",), 2: ("SAMPLES", "CHANNELS"), 3: ("HEIGHT", "WIDTH", "CHANNELS")}[len(shape)]
    return [(f"MODEL_INPUT_{name}", size) for name, size in zip(names, shape, strict=True)]


def _arrays(program: Program) -> list[Mapping[str, Any]]:
    return [_array(step, constant) for step in program.steps for constant in step.code.constants]


def _array(step: Step, constant: Constant) -> Mapping[str, Any]:
    shape = _shape(constant.values.shape)
    return {
        "comment": f"{plain_comment(step.name)} {constant.role}: {shape}"
        + (f", {constant.format}" if constant.format else ""),
        "ctype": constant.ctype,
        "name": f"{step.function}_{constant.role}",
        "count": constant.values.size,
        "lines": number_lines(constant.values),
    }


def number_lines(values: Array) -> list[str]:
    """The numbers of an array as lines of a C initializer."""
    return _lines([_number(value) for value in values.reshape(-1).tolist()])


def _number(value: float | int) -> str:
    if isinstance(value, float):
        return _float(value)
    # -2147483648 and below are no literals in C: the sign is an operator.
    return str(value) if -(2**31) < value < 2**31 else f"({value + 1}LL - 1)" if value < 0 else f"{value}LL"


def _lines(numbers: list[str]) -> list[str]:
    """Numbers with commas, filled into lines."""
    lines, line = [], ""
    for number in numbers:
        if line and len(line) + len(number) + 2 > LINE_WIDTH:
            lines.append(line)
            line = ""
        line += f"{' ' if line else ''}{number},"
    return [*lines, line] if line else lines
