"""Which loops a copy is made of: axes in another order, repetitions, zeros around it, a place in longer rows."""

from collections.abc import Mapping
from functools import lru_cache, partial
from typing import Any

from mcusim.graph import Shape
from mcusim.kernels import plain
from mcusim.kernels.kernel import Inputs
from mcusim.kernels.lanes.conversions import Converting
from mcusim.kernels.lanes.nests import Loop, Moving, Part, Run, Skip, Zeros, fits, moved, moving
from mcusim.kernels.lanes.words import fetched
from mcusim.kernels.memory import Memory
from mcusim.layers import Reshape, StridedCopy, ZeroPadding
from mcusim.layers.planes import plane
from mcusim.layers.strided_copy import joined
from mcusim.program import KernelCall, LayerCode

LAYER = 7.0  # fitted: cycles of the C around the routine
LONGEST_REPEATED, MOST_TIMES = 32, 4  # bytes of what is loaded once and written so often
# Fields that may be missing, which the others are not told apart from by their place
_NAMED = ("zero", "from_zero", "unsigned_input", "wide", "shift", "rounding", "factor", "storage")
Copy = StridedCopy | ZeroPadding | Reshape


def why_not(layer: Copy, inputs: Inputs) -> str | None:
    if isinstance(layer, StridedCopy) and joined(layer.sizes, layer.strides)[1][-1] not in (0, 1):
        return "its numbers do not lie side by side"
    return None if fits(_parts(layer)) else "its axes are too many"


def cost(layer: Copy, inputs: Inputs, memory: Memory) -> float:
    return copy_cycles(_moving(layer, inputs), memory)


def copy(layer: Copy, inputs: Inputs) -> LayerCode:
    routine = _moving(layer, inputs).routine
    return LayerCode((KernelCall("moved", ("input", "output"), {"move": routine.name}),), routines=(routine,))


def copy_cycles(made: Moving, memory: Memory) -> float:
    return LAYER + made.cycles + fetched((made.routine,), memory)


def _moving(layer: Copy, inputs: Inputs) -> Moving:
    plainly = plain.code(layer, inputs).calls[0]
    assert isinstance(plainly, KernelCall)
    return cached(layer.dtype.itemsize, _parts(layer), plainly.kernel, plainly.parameters)


def cached(
    number_bytes: int, parts: tuple[Part, ...], twin: str, fields: Mapping[str, Any], change: Converting | None = None
) -> Moving:
    """`fields`: of plain C, whose numbers make the name: layers of several kinds may be the same copy."""
    frozen = tuple(
        (key, tuple(value.items()) if isinstance(value, Mapping) else value) for key, value in fields.items()
    )
    return _cached(number_bytes, parts, twin, frozen, change)


@lru_cache(maxsize=256)
def _cached(
    number_bytes: int,
    parts: tuple[Part, ...],
    twin: str,
    frozen: tuple[tuple[str, Any], ...],
    change: Converting | None,
) -> Moving:
    fields = {key: dict(value) if key == "factor" else value for key, value in frozen}
    spelled = (f"{key * (key in _NAMED)}{_spelled(value)}" for key, value in fields.items())
    name = f"nn_{twin}_{8 * number_bytes}_{'_'.join(spelled)}"
    summary = (
        f"{twin.replace('_', ' ').capitalize()}: {', '.join(f'{key} {value}' for key, value in fields.items())}.",
        "",
        "Every size is a constant.",
    )
    return moving(name, summary, parts, KernelCall(twin, ("input", "output"), fields), change)


def _spelled(value: object) -> str:
    """As a part of a name."""
    if isinstance(value, Mapping):
        value = tuple(value.values())
    return "_".join(map(_spelled, value)) if isinstance(value, tuple) else str(value).replace("-", "m")


def _parts(layer: Copy) -> tuple[Part, ...]:
    size = layer.dtype.itemsize
    if isinstance(layer, ZeroPadding):
        return _padded(layer, size)
    if isinstance(layer, Reshape):
        return (Run(layer.elements * size),)
    sizes, strides = joined(layer.sizes, layer.strides)
    return (Skip(input=layer.offset * size), *strided(sizes, tuple(stride * size for stride in strides), size))


def strided(sizes: Shape, strides: tuple[int, ...], number_bytes: int) -> tuple[Part, ...]:
    """`strides` in bytes, of which the last one is none or that of a number."""
    step = strides[-1]
    parts: tuple[Part, ...] = (Run(number_bytes * (sizes[-1] if step else 1)),)
    around = list(zip(sizes, strides, strict=True))[: len(sizes) - (step != 0)]
    for count, step in reversed(around):
        first = parts[0]
        is_run = isinstance(first, Run) and parts == (Run(first.length),) and first.length <= LONGEST_REPEATED
        if isinstance(first, Run) and is_run and step == 0 and count <= MOST_TIMES:
            parts = (Run(first.length, count),)
        else:
            parts = (Loop(count, (*parts, Skip(input=step - moved(parts)[0]))),)
    return parts


def _padded(layer: ZeroPadding, size: int) -> tuple[Part, ...]:
    height, width, channels = plane(layer.input_shape)
    (top, bottom), (left, right) = layer.padding
    pixel = channels * size
    row, gap = width * pixel, (left + right) * pixel
    before, behind = top * (row + gap) + left * pixel, bottom * (row + gap) + right * pixel
    zeros = partial(Zeros, zero=layer.numbers.zero if layer.numbers else 0, number_bytes=size)
    rows: list[Part] = [Run(height * row)]
    if gap:
        rows = [*([Loop(height - 1, (Run(row), zeros(gap)))] if height > 1 else []), Run(row)]
    return (*([zeros(before)] if before else []), *rows, *([zeros(behind)] if behind else []))


def placed(rows: int, count: int, whole: int, offset: int) -> tuple[Part, ...]:
    """Each row of so many bytes goes to `offset` of a row of `whole` bytes."""
    if count == whole:
        return (Run(rows * count),)
    return Skip(output=offset), Loop(rows, (Run(count), Skip(output=whole - count)))
