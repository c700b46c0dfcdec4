"""A model as C, not yet as text: kernel calls, constant arrays, and a place in memory for each tensor. Types only.

Program   inputs, outputs, units, steps, the arena
Buffer    what lies where in the arena, and how long
Unit      the layers whose numbers have one width: one C file, since a C type has one name
Step      one layer in running order: the kernel that was chosen for it, and where its tensors lie
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from mcusim.graph import Shape, Tensor, record
from mcusim.numbers.numbers import Numbers, Rounding
from mcusim.system.arrays import Array

ASSEMBLY, FLOAT_ASSEMBLY = "NN_ASSEMBLY", "NN_FLOAT_ASSEMBLY"  # of assembly.h: cores with DSP instructions, and an FPU
PART = "part"  # in C
LONG = "_long"  # a unit beside one of the same numbers: its sums have 64 bits


@dataclass(frozen=True)
class Constant:
    """An array in flash, as it lies there. `role` completes its name: `<layer's function>_<role>`.

    `ctype`: `number_t` and `accumulator_t` are those of the layer's unit.
    """

    role: str
    ctype: str
    values: Array
    numbers: Numbers | None = None


@dataclass(frozen=True)
class KernelCall:
    """`nn_<kernel>_<type>(arguments, (nn_<kernel>_t){parameters})`, from `nn_<kernel>.h`.

    Arguments are `input`, `inputs[i]`, `output`, `scratch` or roles of constants, which parameters may name too.
    """

    kernel: str
    arguments: tuple[str, ...]
    parameters: Mapping[str, Any]


@dataclass(frozen=True)
class Repeated:
    """Calls that run so many `times` one after the other. Arguments may name PART, which counts from 0."""

    calls: tuple[KernelCall, ...]
    times: int


@dataclass(frozen=True)
class Routine:
    """A function in assembly, in a file of its own: `<name>.S`, declared in `<name>.h`. Equal ones are there once.

    `signature` is what stands between its brackets in C. Where the assembly cannot run, `<name>.h` defines the same
    function by its twin in C: `nn_<twin>_<type>(arguments, (nn_<twin>_t){parameters})`, from `nn_<twin>.h`.
    `guard`: of those of assembly.h, what tells where it can. `stack_bytes`: how deep the assembly goes. `in_ram`: it
    runs from there, where a linker script knows the section.
    """

    name: str
    assembly: str
    code_bytes: int
    signature: str
    twin: KernelCall
    guard: str = ASSEMBLY
    stack_bytes: int = 0
    in_ram: bool = False


@dataclass(frozen=True)
class Turns:
    """What runs again and again, so many `times` for a sample: `calls` of routines by name in each turn, and
    `around_bytes` of C between them, about.
    """

    times: int
    calls: Mapping[str, float]
    around_bytes: int = 0


@dataclass(frozen=True)
class LayerCode:
    """What a layer does, as C sees it. `scratch_bytes`: memory that its calls need while they run.

    `routines` are functions that parameters of calls name; `code_bytes` is what the C around them takes, about.
    `files`: more sources by name. `turns`: loops of calls; a routine that is in none of them is called once, about.
    """

    calls: tuple[KernelCall | Repeated, ...]
    constants: tuple[Constant, ...] = ()
    scratch_bytes: int = 0
    files: Mapping[str, str] = field(default_factory=dict)
    routines: tuple[Routine, ...] = ()
    code_bytes: int = 0
    turns: tuple[Turns, ...] = ()


@dataclass(frozen=True)
class Place:
    """Where a tensor lies: the caller's `input` or `output` of that `name`, or the `arena` from `offset_bytes` on."""

    region: str
    offset_bytes: int = 0
    name: str = ""


@dataclass(frozen=True)
class Buffer:
    """Bytes of the arena that hold a tensor from step `first` to step `last`: the one that the step of this `name`
    writes, or its `scratch` memory. What is written over in place ends with the step before.
    """

    name: str
    scratch: bool
    offset_bytes: int
    size_bytes: int
    first: int
    last: int


@dataclass(frozen=True)
class Unit:
    """Numbers of one width. `number_bits` is 0 for float32; `header` is the C twin of the number system.

    `weight_bits`: of weights that are narrower, else 0.

    The first unit is that of the model's input, and `model.c`; another is `model_<name>.c`.
    """

    name: str
    number_bits: int
    accumulator_bits: int
    header: str
    weight_bits: int = 0

    @property
    def data_type(self) -> str:
        """float32, int8, w8a16."""
        return self.name.split("_")[0]

    @property
    def storage(self) -> str:
        """float32, int8 or int16: what is behind `number_t`."""
        return "float32" if self.number_bits == 0 else "int8" if self.number_bits <= 8 else "int16"


@dataclass(frozen=True)
class Exit:
    """Where `cnn()` is left before its last step: the output is one of `count` numbers, and the largest of them is
    above the second largest by `margin`, or more.
    """

    count: int
    margin: float


@dataclass(frozen=True, kw_only=True, eq=False)
class Step(Tensor):
    """One layer of the program, with its output. `kernel` is the name of what runs it, `variant` how it trades
    cycles for memory (empty: in no special way), `unit` the name of its Unit.

    `dtypes` are those of its inputs; `scratch` is None when it needs none. `leaves`: what may follow it is the end.
    """

    kind: str
    kernel: str
    variant: str
    function: str
    unit: str
    macs: int
    input_shapes: tuple[Shape, ...]
    dtypes: tuple[np.dtype[Any], ...]
    code: LayerCode
    sources: tuple[Place, ...]
    sink: Place
    scratch: Place | None = None
    weight_numbers: Numbers | None = None
    leaves: Exit | None = None

    @property
    def data_type(self) -> str:
        """float32, or the one of its arithmetic: int8."""
        return self.unit.split("_")[0]


@dataclass(frozen=True)
class Program:
    """A model ready to be written as C. `notes`: what limits cost it. `rounding`: how samples become its numbers."""

    name: str
    data_type: str
    scheme: str
    units: tuple[Unit, ...]
    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]
    steps: tuple[Step, ...]
    arena_bytes: int
    arena_lower_bound_bytes: int
    buffers_bytes: int
    buffers: tuple[Buffer, ...]
    notes: tuple[str, ...] = ()
    rounding: Rounding = "nearest"

    @property
    def unit(self) -> Unit:
        """Of `model.c`."""
        return self.units[0]

    @property
    def is_cascade(self) -> bool:
        """Is it left early for some samples?"""
        return any(step.leaves for step in self.steps)

    @property
    def answer_dtype(self) -> np.dtype[Any]:
        """What the firmware answers: all outputs, each of them flat, as C lays them out."""
        return record(self.outputs, flat=True)
