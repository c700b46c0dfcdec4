"""Program -> Sources: the C library of a model, still in memory."""

import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from mcusim.boards.board import Board
from mcusim.datasets.dataset import Normalization
from mcusim.graph import Shape, Tensor
from mcusim.line.c_text import c_names, filled, floating, literal, number_lines, plain_comment
from mcusim.line.sources import Sources
from mcusim.program import PART, Constant, KernelCall, Place, Program, Repeated, Step, Unit
from mcusim.system.assets import CODEGEN
from mcusim.system.errors import ConfigurationError
from mcusim.system.templates import render

INCLUDE = re.compile(r'^#include "(\w+\.h)"', re.MULTILINE)
FOLDERS = ("kernels", "numbers")
CODE_RAM = "code_ram.h"  # of a library that has code for RAM
LAYER_MARKS = "layer_marks.h"  # of one that tells a harness where layers begin and end
ENERGY_PIN = "harness/energy_pin.h"  # of one whose harness raises a pin while the model runs
CALL_WIDTH = 112
LICENCE = "/* SPDX-License-Identifier: 0BSD */\n"  # of all that is generated: it is its user's, as README says
Names = Mapping[tuple[str, str], str]  # of arrays in C, by the function of their layer and their role


def emit_library(
    program: Program, statistics: Mapping[str, Normalization] | None = None, *, marks: bool = False
) -> Sources:
    """Everything that a C project needs to call `cnn()`: model.c, its headers and the kernels it uses.

    `statistics`: of the training set, by input, "" for an only one. `marks`: `cnn()` tells codegen/harness/layers.c
    where layers begin and end; without that harness such a library is none.
    """
    return Sources(_Library(program, statistics or {}, marks).files())


def emit_energy_pin(board: Board) -> Sources:
    """What, merged into a library, makes the harness of a real board raise its energy pin while the model runs.

    Raises ConfigurationError for a board that has none.
    """
    if board.energy_pin is None:
        hint = "add [energy_pin] to its file (platforms/README.md), or leave energy_pin out"
        raise ConfigurationError(f"board {board.name!r} names no pin for an energy meter", where="[target]", hint=hint)
    return Sources({ENERGY_PIN: render("energy_pin.h.j2", pin=board.energy_pin)})


def is_weights(name: str) -> bool:
    """Is that file one of constant arrays?"""
    return name.startswith("weights") and name.endswith(".h")


def is_record(program: Program) -> bool:
    """Does `cnn()` take model_input_t and model_output_t? Else both are arrays."""
    return len(program.inputs) > 1 or len(program.outputs) > 1


def output_members(program: Program) -> dict[str, str]:
    """What model_output_t calls each output."""
    return c_names((tensor.name for tensor in program.outputs), "y")


class _Library:
    """The texts of one program. With one input, one output and one width they are what they always were."""

    def __init__(self, program: Program, statistics: Mapping[str, Normalization], marks: bool) -> None:
        self.program, self.statistics, self.marks = program, statistics, marks
        self.title = f"{plain_comment(program.name)}: {program.data_type} {program.scheme}".rstrip()
        self.inputs = c_names((tensor.name for tensor in program.inputs), "x")
        self.outputs = output_members(program)
        self.is_record = is_record(program)
        self.numbers = np.dtype(program.unit.storage)  # of `number_t`
        self.shared = _shared_routines(program)

    def files(self) -> dict[str, str]:
        generated = {
            **{name: text for step in self.program.steps for name, text in step.code.files.items()},
            **{name: text for unit in self.program.units for name, text in self._routines(unit).items()},
            "model.h": render("model.h.j2", title=self.title, program=self.program, **self._model_h()),
            "number_config.h": self._config(self.program.unit, guard=True),
            **({LAYER_MARKS: render("layer_marks.h.j2", layers=len(self.program.steps))} if self.marks else {}),
            **{name: text for unit in self.program.units for name, text in self._unit(unit).items()},
        }
        return {name: LICENCE + text for name, text in (self._headers(generated) | generated).items()}

    def _unit(self, unit: Unit) -> dict[str, str]:
        """model.c and weights.h, or model_int16.c and weights_int16.h."""
        suffix = "" if unit is self.program.unit else f"_{unit.name}"
        marks = {LAYER_MARKS} if self.marks and not suffix else set()
        steps = [step for step in self.program.steps if step.unit == unit.name]
        names = _array_names(steps)
        values = {
            "title": self.title,
            "headers": sorted(
                marks | _called(steps) | {f"{own.name}.h" for step in steps for own in step.code.routines}
            ),
            "weights": f"weights{suffix}.h",
            "layers": [self._layer(unit, step, names) for step in steps],
        }
        if suffix:
            source = render("model_unit.c.j2", unit=unit, config=self._config(unit), **values)
        else:
            source = render("model.c.j2", **values, **self._main())
        arrays, guard = _arrays(steps, names), f"WEIGHTS{suffix}_H".upper()
        weights = render("weights.h.j2", title=f"Weights of {self.title}", guard=guard, arrays=arrays)
        return {f"model{suffix}.c": source, f"weights{suffix}.h": weights}

    def _routines(self, unit: Unit) -> dict[str, str]:
        """Assembly of the layers of a unit, and what declares it."""
        texts: dict[str, str] = {}
        for step in self.program.steps:
            for routine in step.code.routines if step.unit == unit.name else ():
                function = f"NN_NAME({routine.twin.kernel})" if routine.name in self.shared else ""
                twin, text = _call(routine.twin, unit, literal, function), render("routine.S.j2", routine=routine)
                assert texts.setdefault(f"{routine.name}.S", text) == text, f"{routine.name} is two functions"
                texts[f"{routine.name}.h"] = render("routine.h.j2", routine=routine, calls=[twin])
        return texts

    def _main(self) -> dict[str, Any]:
        """The rest of model.c: the arena, what other units define, and cnn()."""
        program = self.program
        others = [step for step in program.steps if step.unit != program.unit.name]
        return {
            "arena_bytes": program.arena_bytes,
            "arena_numbers": program.arena_bytes // self.numbers.itemsize,
            "arena_types": self._arena_types,
            "elsewhere": [self._signature(program.unit, step, outside=True) for step in others],
            "is_cascade": program.is_cascade,
            "signature": self._cnn(),
            "parameters": self._parameters(),
            "body": [
                *self._mark(0, 1),
                *(line for number, step in enumerate(program.steps) for line in self._run(number, step)),
            ],
        }

    def _run(self, number: int, step: Step) -> Iterator[str]:
        """The lines of `cnn()` for a layer."""
        yield self._call(step)
        yield from self._mark(number + 2)
        yield from self._exit(step)

    def _mark(self, *numbers: int) -> list[str]:
        return [f"mcusim_mark({number});" for number in numbers] if self.marks else []

    def _exit(self, step: Step) -> list[str]:
        if step.leaves is None:
            return []
        name, answer = _signed(step.dtype).name, self._place(step.sink, step.dtype)
        sure = f"nn_margin_{name}({answer}, {step.leaves.count}) >= {literal(step.leaves.margin)}"
        return [f"if ({sure}) {{", "    return 0;", "}"]

    @cached_property
    def _arena_types(self) -> list[tuple[str, str, int]]:
        """What lies in it, when that is not `number_t` alone: name in the union, type in C, how many there are."""
        units, steps = self.program.units, self.program.steps
        if len(units) == 1 and not any(step.scratch for step in steps):
            return []
        found = {np.dtype(unit.storage) for unit in units} | {_signed(step.dtype) for step in steps}
        if any(unit.number_bits for unit in units):  # scratch memory has sums, and numbers as 16 bits
            found |= {np.dtype(np.int16), np.dtype(np.int32)}
        types = sorted(found, key=lambda dtype: (dtype.itemsize, dtype.name))
        return [(dtype.name, _ctype(dtype), self.program.arena_bytes // dtype.itemsize) for dtype in types]

    def _layer(self, unit: Unit, step: Step, names: Names) -> dict[str, Any]:
        shapes = " + ".join(map(_shape, step.input_shapes))
        facts = [f"{step.kind} {shapes} -> {_shape(step.shape)}"]
        facts += [f"{step.macs} MACs"] if step.macs else []
        facts += [str(step.numbers)] if step.numbers else []
        return {
            "comment": f"{plain_comment(step.name)}: {', '.join(facts)}",
            "signature": self._signature(unit, step),
            "calls": [text for call in step.code.calls for text in _kernel_calls(unit, step, call, names)],
        }

    def _signature(self, unit: Unit, step: Step, *, outside: bool = False) -> str:
        """Types are those of `unit` where it has a name for them."""
        own = "" if outside else "number_t"
        dtypes = set(map(_signed, step.dtypes))
        kind = own if own and dtypes == {np.dtype(unit.storage)} else _ctype(_signed(step.dtypes[0]))
        inputs = f"const {kind} *input" if len(step.sources) == 1 else f"const {kind} *const *inputs"
        sink = own if own and _signed(step.dtype) == np.dtype(unit.storage) else _ctype(_signed(step.dtype))
        scratch = ", void *scratch" if step.scratch else ""
        return f"void {step.function}({inputs}, {sink} *output{scratch})"

    def _call(self, step: Step) -> str:
        """The line of `cnn()` that runs a layer."""
        kinds = [_ctype(_signed(dtype)) for dtype in step.dtypes]
        sources = [self._place(place, dtype, "const ") for place, dtype in zip(step.sources, step.dtypes, strict=True)]
        kind = kinds[0] if self._arena_types else "number_t"
        argument = sources[0] if len(sources) == 1 else f"(const {kind} *const[]){{{', '.join(sources)}}}"
        sink = self._place(step.sink, step.dtype)
        scratch = f", arena.bytes + {step.scratch.offset_bytes}" if step.scratch else ""
        return f"{step.function}({argument}, {sink}{scratch});"

    def _place(self, place: Place, dtype: np.dtype[Any], const: str = "") -> str:
        """Layers take pointers to signed numbers; what has no sign is read and stored as such inside."""
        if place.region == "arena":
            arena = f"arena.{_signed(dtype).name}" if self._arena_types else "arena"
            return f"{arena} + {place.offset_bytes // dtype.itemsize}"
        name = place.region
        if self.is_record:
            members = self.inputs if place.region == "input" else self.outputs
            name = f"{place.region}->{members[place.name]}"
        return name if dtype == _signed(dtype) else f"({const}{_ctype(_signed(dtype))} *){name}"

    def _cnn(self) -> str:
        return f"void cnn({self._parameters()})"

    def _parameters(self) -> str:
        if self.is_record:
            return "const model_input_t *input, model_output_t *output"
        entry, output = self._number_type(self.program.inputs[0]), self._number_type(self.program.outputs[0])
        return f"const {entry} input[MODEL_INPUT_ELEMENTS], {output} output[MODEL_OUTPUT_ELEMENTS]"

    def _number_type(self, tensor: Tensor) -> str:
        return "number_t" if tensor.dtype == self.numbers else _ctype(tensor.dtype)

    def _model_h(self) -> dict[str, Any]:
        routines = [routine for step in self.program.steps for routine in step.code.routines]
        return {
            "signature": self._cnn(),
            "parameters": self._parameters(),
            "is_record": self.is_record,
            "inputs": [self._member(tensor, self.inputs, "INPUT") for tensor in self.program.inputs],
            "outputs": [self._member(tensor, self.outputs, "OUTPUT") for tensor in self.program.outputs],
            "assembly_stack": max((routine.stack_bytes for routine in routines), default=0),
        }

    def _member(self, tensor: Tensor, members: Mapping[str, str], role: str) -> dict[str, Any]:
        """What model.h says of an input or output; its macros are `MODEL_INPUT_..`, or `MODEL_X_AUDIO_..`."""
        member = members[tensor.name] if self.is_record else ""
        macro = f"MODEL_{member.upper()}" if member else f"MODEL_{role}"
        scale = macro if member else role
        own = self.statistics.get(tensor.name if member else "") if role == "INPUT" else None
        return {
            "name": member,
            "ctype": self._number_type(tensor),
            "shape": _shape(tensor.shape),
            "macro": macro,
            "scales": _scales(tensor, scale, macro),
            "scale": scale,
            "dimensions": _dimensions(tensor.shape, macro) if role == "INPUT" else [],
            "elements": tensor.elements,
            "mean": _vector(own.mean) if own else "",
            "deviation": _vector(own.std) if own else "",
        }

    def _config(self, unit: Unit, *, guard: bool = False) -> str:
        data_type = self.program.data_type if unit is self.program.unit else unit.name
        return render("number_config.h.j2", data_type=data_type, unit=unit, guard=guard)

    def _headers(self, generated: Mapping[str, str]) -> dict[str, str]:
        """Texts of what these include, and of what that includes. (Units name a header of their numbers in a macro.)"""
        texts: dict[str, str] = {}
        waiting = [unit.header for unit in self.program.units]
        waiting += [name for text in generated.values() for name in INCLUDE.findall(text)]
        while waiting:
            name = waiting.pop()
            if name not in texts and name not in generated:
                paths = (CODEGEN / folder / name for folder in FOLDERS)
                texts[name] = next(path for path in paths if path.is_file()).read_text(encoding="utf-8")
                waiting.extend(INCLUDE.findall(texts[name]))
        return texts


def _array_names(steps: Sequence[Step]) -> Names:
    """Arrays that are equal lie in flash once, called after the first layer that has them."""
    first: dict[tuple[str, str, bytes], str] = {}
    names: dict[tuple[str, str], str] = {}
    for step in steps:
        for constant in step.code.constants:
            content = (constant.ctype, constant.values.dtype.str, constant.values.tobytes())
            names[step.function, constant.role] = first.setdefault(content, f"{step.function}_{constant.role}")
    return names


def _arrays(steps: Sequence[Step], names: Names) -> list[dict[str, Any]]:
    """Those of weights.h, in the order of the layers."""
    readers = Counter(names.values())
    first: dict[str, tuple[Step, Constant]] = {}
    for step in steps:
        for constant in step.code.constants:
            first.setdefault(names[step.function, constant.role], (step, constant))
    return [_array(step, constant, name, readers[name]) for name, (step, constant) in first.items()]


def _array(step: Step, constant: Constant, name: str, readers: int) -> dict[str, Any]:
    facts = [_shape(constant.values.shape), *([str(constant.numbers)] if constant.numbers else [])]
    facts += [f"read in {readers} places"] if readers > 1 else []
    return {
        "comment": f"{plain_comment(step.name)} {constant.role}: {', '.join(facts)}",
        "ctype": constant.ctype,
        "name": name,
        "count": constant.values.size,
        "lines": number_lines(constant.values),
    }


def _called(steps: Sequence[Step]) -> set[str]:
    made = (call.calls if isinstance(call, Repeated) else (call,) for step in steps for call in step.code.calls)
    return {f"nn_{call.kernel}.h" for calls in made for call in calls}


def _kernel_calls(unit: Unit, step: Step, call: KernelCall | Repeated, names: Names) -> list[dict[str, Any]]:
    """Those of a loop have its lines around them."""
    if isinstance(call, KernelCall):
        return [_kernel_call(unit, step, call, names)]
    texts = [{**_kernel_call(unit, step, one, names), "indent": "    "} for one in call.calls]
    texts[0]["before"] = f"for (int {PART} = 0; {PART} < {call.times}; {PART}++) {{"
    texts[-1]["after"] = "}"
    return texts


def _kernel_call(unit: Unit, step: Step, call: KernelCall, names: Names) -> dict[str, Any]:
    def named(value: Any) -> str:
        return names.get((step.function, value)) or literal(value) if isinstance(value, str) else literal(value)

    return _call(call, unit, named)


def _shared_routines(program: Program) -> set[str]:
    """Names of those that units of different numbers call: their twin is that of each unit."""
    storages = {unit.name: unit.storage for unit in program.units}
    uses = {(routine.name, storages[step.unit]) for step in program.steps for routine in step.code.routines}
    return {name for name, count in Counter(name for name, _ in uses).items() if count > 1}


def _call(call: KernelCall, unit: Unit, named: Callable[[Any], str], function: str = "") -> dict[str, Any]:
    """`function`: its name, unless it is that of the unit."""
    function = function or f"nn_{call.kernel}_{unit.storage}"
    first, *others = map(named, call.arguments)
    return {
        "lines": filled((f"{word}," for word in (f"{function}({first}", *others)), CALL_WIDTH),
        "type": f"nn_{call.kernel}_t",
        "indent": "",
        "before": "",
        "after": "",
        "fields": [f".{name} = {named(value)}" for name, value in call.parameters.items()],
    }


def _ctype(dtype: np.dtype[Any]) -> str:
    return "float" if dtype == np.float32 else f"{dtype.name}_t"


def _signed(dtype: np.dtype[Any]) -> np.dtype[Any]:
    """The type of as many bytes that a unit calls `number_t`."""
    return np.dtype(np.int8) if dtype == np.uint8 else dtype


def _shape(shape: Shape) -> str:
    return "x".join(map(str, shape))


def _vector(values: Sequence[float]) -> str:
    return "{" + ", ".join(floating(float(value)) for value in values) + "}"


def _scales(tensor: Tensor, prefix: str, macro: str) -> dict[str, str]:
    """Macros that tell what a tensor's numbers stand for, and how far they reach; a real one stands for itself."""
    if tensor.numbers is None:
        return {f"{prefix}_SCALE_FACTOR": "(0)"}
    macros = {f"{prefix}_{name}": value for name, value in tensor.numbers.macros.items()}
    macros |= {f"{macro}_MIN": tensor.numbers.minimum, f"{macro}_MAX": tensor.numbers.maximum}
    return {name: literal(x) if isinstance(x, np.floating) else f"({x})" for name, x in macros.items()}


def _dimensions(shape: Shape, macro: str) -> list[tuple[str, int]]:
    names = {1: ("CHANNELS",), 2: ("SAMPLES", "CHANNELS"), 3: ("HEIGHT", "WIDTH", "CHANNELS")}[len(shape)]
    return [(f"{macro}_{name}", size) for name, size in zip(names, shape, strict=True)]
