"""Operations that move numbers, or reduce an axis -> steps."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from itertools import accumulate, pairwise
from typing import Any

from mcusim.models.keras.arithmetic import rescaling
from mcusim.models.keras.description import Ref
from mcusim.models.keras.operation import Make, Operation, Step

WHOLE, ELLIPSIS = (None, None), "..."


def _to_shape(operation: Operation, shape: Sequence[int]) -> list[Step]:
    return [Step("Reshape", {"target_shape": list(shape)}, (operation.x,))]


def _reshape(operation: Operation) -> list[Step]:
    target = operation.get(1, "newshape", "shape", "target_shape")
    if not isinstance(target, (list, tuple)) or any(a is not None and type(a) is not int for a in target) or not target:
        raise operation.wrong(f"reshapes to {target!r:.60}")
    batch, *rest = target
    elements, product = math.prod(operation.shape), math.prod(rest)
    if batch in (-1, None) and -1 not in rest and None not in rest and product != elements:
        raise operation.wrong(f"turns {operation.shape} into {tuple(rest)} with another batch")
    if batch not in (-1, None) and batch != operation.batch:
        raise operation.wrong(f"reshapes to a batch of {batch}")
    return _to_shape(operation, [-1 if axis is None else axis for axis in rest])


def _squeeze(operation: Operation) -> list[Step]:
    axis = operation.get(1, "axis", "squeeze_dims")
    whole = (0, *operation.shape)
    given = [i for i in range(1, len(whole)) if whole[i] == 1] if axis in (None, []) else operation.axes(axis)
    if any(whole[i] != 1 for i in given):
        raise operation.wrong(f"squeezes {operation.shape} along {axis}")
    return _to_shape(operation, [whole[i] for i in range(1, len(whole)) if i not in given])


def _expand_dims(operation: Operation) -> list[Step]:
    (axis,) = operation.axes(operation.get(1, "axis"), len(operation.shape) + 2)
    return _to_shape(operation, [*operation.shape[: axis - 1], 1, *operation.shape[axis - 1 :]])


def _permuted(operation: Operation, axes: Any) -> list[Step]:
    rank = len(operation.shape) + 1
    if not isinstance(axes, (list, tuple)) or sorted(axes) != list(range(rank)) or axes[0] != 0:
        raise operation.wrong(f"transposes {operation.shape} and its batch by {axes!r:.40}")
    return [Step("Permute", {"dims": list(axes[1:])}, (operation.x,))] if list(axes) != list(range(rank)) else []


def _swapaxes(operation: Operation) -> list[Step]:
    (a,), (b,) = (operation.axes(operation.get(i, name)) for i, name in ((1, "axis1"), (2, "axis2")))
    axes = list(range(len(operation.shape) + 1))
    axes[a], axes[b] = axes[b], axes[a]
    return _permuted(operation, axes)


def _concatenate(operation: Operation) -> list[Step]:
    tensors, axis = operation.get(0, "values", "xs"), operation.get(1, "axis", default=-1)
    if not isinstance(tensors, list) or not all(isinstance(tensor, Ref) for tensor in tensors):
        raise operation.wrong("joins what is no tensor")
    return [Step("Concatenate", {"axis": axis}, tuple(tensors))]


def _pad(operation: Operation) -> list[Step]:
    widths = operation.get(1, "pad_width", "paddings")
    mode = str(operation.get(2, "mode", default="constant")).lower()
    value = operation.get(3, "constant_values", default=0) or 0
    rank = len(operation.shape) - 1
    if mode != "constant" or value or not isinstance(widths, list) or len(widths) != rank + 2 or rank not in (1, 2):
        raise operation.wrong("pads in a way that has no kernel")
    if any(widths[0]) or any(widths[-1]):
        raise operation.wrong("pads the batch or the channels")
    padding = widths[1] if rank == 1 else widths[1:3]
    return [Step(f"ZeroPadding{rank}D", {"padding": padding}, (operation.x,))]


def _stack(operation: Operation) -> list[Step]:
    """Each with an axis more, side by side."""
    tensors, axis = operation.get(0, "values", "xs", "x"), operation.get(1, "axis", default=0)
    if not isinstance(tensors, list) or not all(isinstance(tensor, Ref) for tensor in tensors):
        raise operation.wrong("joins what is no tensor")
    shape = operation.shapes[tensors[0]]
    (place,) = operation.axes(axis, len(shape) + 2)
    wide = [*shape[: place - 1], 1, *shape[place - 1 :]]
    each = [Step("Reshape", {"target_shape": wide}, (tensor,)) for tensor in tensors]
    return [*each, Step("Concatenate", {"axis": place}, tuple(range(len(each))))]


def _get_item(operation: Operation) -> list[Step]:
    """A part of each axis is cut out; an index leaves its axis out, `newaxis` adds one."""
    key = operation.get(1, "key", "slice_spec")
    parts = _whole(operation, list(key) if isinstance(key, list) else [key])
    shape = operation.shape
    if parts[:1] != [WHOLE]:
        raise operation.wrong("cuts out a part of the batch")
    cuts: list[tuple[int, int]] = []
    kept: list[int] = []
    for part in parts[1:]:
        if part is None:
            kept.append(1)
            continue
        axis = shape[len(cuts)]
        start, stop, _ = slice(*(part if isinstance(part, tuple) else (part, part + 1 or None))).indices(axis)
        if stop <= start or (not isinstance(part, tuple) and not -axis <= part < axis):
            raise operation.wrong(f"cuts nothing out of {shape}")
        cuts.append((start, axis - stop))
        kept.extend([stop - start] if isinstance(part, tuple) else [])
    if not kept:
        raise operation.wrong("takes a single number")
    return _cropped(operation, cuts, kept)


def _whole(operation: Operation, key: list[Any]) -> list[Any]:
    """A part for each axis, the batch's first: (start, stop), an index, or None for an axis that is new."""
    parts = [part if part == ELLIPSIS or part is None else _slice(operation, part) for part in map(_special, key)]
    missing = len(operation.shape) + 1 - sum(part is not None and part != ELLIPSIS for part in parts)
    if missing < 0 or parts.count(ELLIPSIS) > 1:
        raise operation.wrong(f"has more parts than {operation.shape} has axes")
    place = parts.index(ELLIPSIS) if ELLIPSIS in parts else len(parts)
    return [*parts[:place], *[WHOLE] * missing, *parts[place + 1 :]]


def _special(part: Any) -> Any:
    return ELLIPSIS if isinstance(part, Mapping) and part.get("class_name") == "__ellipsis__" else part


def _cropped(operation: Operation, cuts: list[tuple[int, int]], kept: list[int]) -> list[Step]:
    """Rows and columns are cropped as such, channels as columns of a plane."""
    rows, shape = list(operation.shape), operation.shape
    steps: list[Step] = []
    if len(shape) > 3 and any(map(any, cuts)):
        raise operation.wrong(f"cuts something out of {shape}")
    if any(map(any, cuts[:-1])):
        rank = len(shape) - 1
        cropping = cuts[0] if rank == 1 else tuple(cuts[:2])
        steps.append(Step(f"Cropping{rank}D", {"cropping": cropping}, (operation.x,)))
        rows = [size - sum(cut) for size, cut in zip(shape[:-1], cuts, strict=False)]
    if any(cuts[-1]):
        plane = [math.prod(rows[: len(shape) - 1]), shape[-1], 1]
        steps.append(Step("Reshape", {"target_shape": plane}, () if steps else (operation.x,)))
        steps.append(Step("Cropping2D", {"cropping": ((0, 0), cuts[-1])}))
    return [*steps, Step("Reshape", {"target_shape": kept}, () if steps else (operation.x,))]


def _slice(operation: Operation, value: Any) -> Any:
    """(start, stop), or an index."""
    config = value.get("config", value) if isinstance(value, Mapping) else None
    if isinstance(config, Mapping) and set(config) >= {"start", "stop"}:
        start, stop, step = (config.get(key) for key in ("start", "stop", "step"))
        if step not in (None, 1) or any(end is not None and type(end) is not int for end in (start, stop)):
            raise operation.wrong("takes every other number")
        return (start, stop)
    if type(value) is not int:
        raise operation.wrong(f"is indexed with {value!r:.40}")
    return value


def _split(operation: Operation) -> list[Step]:
    """Equal parts, or where Keras 3 tells places and TensorFlow sizes. Each part is an output."""
    told = operation.get(1, "indices_or_sections", "num_or_size_splits")
    (axis,) = operation.axes(operation.get(2, "axis", default=0))
    size = operation.shape[axis - 1]
    if type(told) is int and told > 0 and size % told == 0:
        places = list(range(0, size + 1, size // told))
    elif isinstance(told, list) and told and all(type(value) is int and value > 0 for value in told):
        keras_3 = operation.get(1, "indices_or_sections") is told and operation.function == "Split"
        places = [0, *told, size] if keras_3 else [0, *accumulate(told)]
    else:
        raise operation.wrong(f"splits {operation.shape} into {told!r:.40}")
    if places != sorted(set(places)) or places[-1] != size:
        raise operation.wrong(f"splits {operation.shape} into {told!r:.40}")
    steps: list[Step] = []
    for start, stop in pairwise(places):
        cuts = [(start, size - stop) if at == axis - 1 else (0, 0) for at in range(len(operation.shape))]
        kept = [stop - start if at == axis - 1 else length for at, length in enumerate(operation.shape)]
        part = _cropped(operation, cuts, kept)
        steps += [*part[:-1], replace(part[-1], is_output=True)]
    return steps


# -- means and maxima ----------------------------------------------------------------------------------------------


def _reduced(kind: str, operation: Operation, factor: bool = False) -> list[Step]:
    """Along rows, columns or both by pooling; along the channels by pooling after a permutation."""
    shape, keep = operation.shape, bool(operation.get(2, "keepdims", default=False))
    axes = operation.axes(operation.get(1, "axis"))
    rank, count = len(shape) - 1, math.prod(shape[axis - 1] for axis in axes)
    left = [1 if i + 1 in axes else size for i, size in enumerate(shape) if keep or i + 1 not in axes]
    found = _pooled(operation, kind, axes, rank)
    if not left or found is None:
        raise operation.wrong(f"goes along axes {axes} of {shape}")
    found.append(Step("Reshape", {"target_shape": left}))
    return [*found, rescaling(float(count), 0.0)] if factor else found


def _pooled(operation: Operation, kind: str, axes: tuple[int, ...], rank: int) -> list[Step] | None:
    shape = operation.shape
    if rank in (1, 2) and axes == tuple(range(1, rank + 1)):
        return [Step(f"Global{kind}Pooling{rank}D", {}, (operation.x,))]
    if rank == 2 and len(axes) == 1 and axes[0] < 3:
        size = (shape[0], 1) if axes == (1,) else (1, shape[1])
        return [Step(f"{kind}Pooling2D", {"pool_size": size, "strides": size, "padding": "valid"}, (operation.x,))]
    if axes == (rank + 1,) and rank:
        flat = Step("Reshape", {"target_shape": [-1, shape[-1]]}, (operation.x,))
        return [flat, Step("Permute", {"dims": [2, 1]}), Step(f"Global{kind}Pooling1D", {})]
    return None


RESHAPING: Mapping[str, Make] = {
    "reshape": _reshape,
    "squeeze": _squeeze,
    "expanddims": _expand_dims,
    **dict.fromkeys(("flatten", "ravel"), lambda operation: _to_shape(operation, [-1])),
    "transpose": lambda operation: _permuted(operation, operation.get(1, "axes", "perm")),
    "swapaxes": _swapaxes,
    **dict.fromkeys(("concatenate", "concat"), _concatenate),
    "pad": _pad,
    **dict.fromkeys(("stack", "pack"), _stack),
    "getitem": _get_item,
    "split": _split,
    **dict.fromkeys(("mean", "reducemean"), partial(_reduced, "Average")),
    **dict.fromkeys(("max", "reducemax"), partial(_reduced, "Max")),
    **dict.fromkeys(("sum", "reducesum"), partial(_reduced, "Average", factor=True)),
}
