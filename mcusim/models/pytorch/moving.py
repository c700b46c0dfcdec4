"""What only moves numbers in PyTorch -> nodes of ONNX."""

import math
from collections.abc import Mapping

import numpy as np

from mcusim.models.pytorch.call import EXPORT, Call, Translate

FAR_END = 2**62  # of slices that go on to the end


def _axis(call: Call, name: str, rank: int, default: int = 0) -> int:
    axis = call.whole(name, default)
    if not -rank <= axis < rank:
        raise call.refused(f"works on axis {axis} of {rank}", EXPORT)
    return axis % rank


def _reshaped(call: Call) -> None:
    """To the shape that the program says comes out."""
    call.end("Reshape", call.x, call.wholes_of(*call.shapes[call.outputs[0]]))


def _permuted(call: Call) -> None:
    rank = len(call.shape)
    call.end("Transpose", call.x, perm=[axis % rank for axis in call.wholes("dims")])


def _transposed(call: Call) -> None:
    rank = len(call.shape)
    axes = list(range(rank))
    first, second = (_axis(call, name, rank, default) for name, default in (("dim0", 0), ("dim1", 1)))
    axes[first], axes[second] = axes[second], axes[first]
    call.end("Transpose", call.x, perm=axes)


def _joined(call: Call) -> None:
    tensors = call.get("tensors")
    call.end("Concat", *tensors, axis=_axis(call, "dim", len(call.shapes[tensors[0]])))


def _stacked(call: Call) -> None:
    """Each with an axis more, side by side."""
    tensors = call.get("tensors")
    axis = _axis(call, "dim", len(call.shapes[tensors[0]]) + 1)
    wide = [call.add("Unsqueeze", one, call.wholes_of(axis)) for one in tensors]
    call.end("Concat", *wide, axis=axis)


def _split(call: Call) -> None:
    """`chunk` and `split` tell a number or a size, `split_with_sizes` all sizes: the parts tell it, too."""
    axis = _axis(call, "dim", len(call.shape))
    sizes = call.get("split_sizes") or call.get("split_size")
    if not isinstance(sizes, list):
        count = len(call.outputs)
        size = sizes if type(sizes) is int and sizes > 0 else -(-call.shape[axis] // max(count, 1))
        sizes = [size] * (count - 1) + [call.shape[axis] - size * (count - 1)]
    call.end("Split", call.x, call.wholes_of(*sizes), axis=axis)


def _sliced(call: Call) -> None:
    axis = _axis(call, "dim", len(call.shape))
    start, end = call.whole("start", 0), min(call.whole("end", FAR_END), FAR_END)
    call.end("Slice", call.x, *(call.wholes_of(value) for value in (start, end, axis, call.whole("step", 1))))


def _narrowed(call: Call) -> None:
    axis, start = _axis(call, "dim", len(call.shape)), call.whole("start", 0)
    ends = (start, start + call.whole("length", 1), axis)
    call.end("Slice", call.x, *(call.wholes_of(value) for value in ends))


def _flipped(call: Call) -> None:
    axes = call.wholes("dims")
    steps = [call.wholes_of(*(value for _ in axes)) for value in (-1, -FAR_END)]
    call.end("Slice", call.x, *steps, call.wholes_of(*axes), call.wholes_of(*(-1 for _ in axes)))


def _unbound(call: Call) -> None:
    """Each place of an axis, without it."""
    axis = _axis(call, "dim", len(call.shape))
    for place, output in enumerate(call.outputs):
        call.end("Gather", call.x, call.constant(place, np.int64), gives=output, axis=axis)


def _moved(call: Call) -> None:
    """Axes from `source` to `destination`, the others in their order."""
    rank = len(call.shape)
    told = [[axis % rank for axis in call.wholes(name)] for name in ("source", "destination")]
    rest = iter(axis for axis in range(rank) if axis not in told[0])
    there = dict(zip(told[1], told[0], strict=True))
    call.end("Transpose", call.x, perm=[there[axis] if axis in there else next(rest) for axis in range(rank)])


def _shuffled(call: Call) -> None:
    """ShuffleNet's: (groups, channels of a group) the other way round."""
    batch, channels, *rest = call.shape
    groups = call.whole("groups", 1)
    wide = call.add("Reshape", call.x, call.wholes_of(batch, groups, channels // max(groups, 1), *rest))
    turned = call.add("Transpose", wide, perm=[0, 2, 1, *range(3, 3 + len(rest))])
    call.end("Reshape", turned, call.wholes_of(*call.shape))


def _selected(call: Call) -> None:
    call.end("Gather", call.x, call.constant(call.whole("index"), np.int64), axis=_axis(call, "dim", len(call.shape)))


def _expanded(call: Call) -> None:
    """-1 keeps an axis."""
    call.end("Expand", call.x, call.wholes_of(*(1 if size == -1 else size for size in call.wholes("size"))))


def _repeated(call: Call) -> None:
    counts = call.wholes("repeats")
    shape = (1,) * (len(counts) - len(call.shape)) + call.shape
    wide = call.add("Reshape", call.x, call.wholes_of(*shape))
    call.end("Tile", wide, call.wholes_of(*counts))


def _zeros(call: Call) -> None:
    """What recurrent layers start from."""
    shape = call.shapes[call.outputs[0]]
    if math.prod(shape) > 2**20:
        raise call.refused(f"makes {shape} numbers", "use fewer")
    value = 1.0 if "ones" in call.kind else call.real("fill_value", 0.0)
    call.constants.arrays[call.outputs[0]] = np.full(shape, value, np.float32)


RESHAPING = ("view", "reshape", "_unsafe_view", "flatten", "unflatten", "squeeze", "unsqueeze")
TRANSLATORS: Mapping[str, Translate] = {
    **dict.fromkeys((f"aten.{name}" for name in RESHAPING), _reshaped),
    "aten.permute": _permuted,
    **dict.fromkeys(("aten.transpose", "aten.t", "aten.numpy_T"), _transposed),
    "aten.cat": _joined,
    "aten.stack": _stacked,
    **dict.fromkeys(("aten.split", "aten.chunk", "aten.split_with_sizes"), _split),
    "aten.slice": _sliced,
    "aten.narrow": _narrowed,
    "aten.flip": _flipped,
    "aten.unbind": _unbound,
    "aten.movedim": _moved,
    **dict.fromkeys(("aten.channel_shuffle", "aten.native_channel_shuffle"), _shuffled),
    "aten.select": _selected,
    "aten.expand": _expanded,
    "aten.repeat": _repeated,
    **dict.fromkeys(("aten.zeros", "aten.ones", "aten.full", "aten.new_zeros", "aten.zeros_like"), _zeros),
}
