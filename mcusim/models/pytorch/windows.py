"""Convolutions, linear layers, poolings and normalizations of PyTorch -> nodes of ONNX."""

import math
from collections.abc import Mapping
from functools import partial

from mcusim.models.pytorch.call import EXPORT, Call, Translate


def _pads(call: Call, rank: int) -> list[int]:
    """The same at both ends of an axis."""
    pads = call.each("padding", 0, rank)
    return pads + pads


def _convolution(call: Call) -> None:
    if call.flag("transposed"):
        _transposed(call)
        return
    rank = len(call.shapes[call.tensor("weight")]) - 2
    own = {"strides": call.each("stride", 1, rank), "dilations": call.each("dilation", 1, rank)}
    mode = call.get("padding")
    if isinstance(mode, str):
        sizes = zip(call.shapes[call.tensor("weight")][2:], own["dilations"], strict=True)
        total = [step * (size - 1) if mode == "same" else 0 for size, step in sizes]
        pads = [one // 2 for one in total] + [one - one // 2 for one in total]
    else:
        pads = _pads(call, rank)
    group = call.whole("groups", 1)
    call.end("Conv", call.x, call.tensor("weight"), call.get("bias"), pads=pads, group=group, **own)


def _transposed(call: Call) -> None:
    rank = len(call.shapes[call.tensor("weight")]) - 2
    own = {"strides": call.each("stride", 1, rank), "dilations": call.each("dilation", 1, rank)}
    own |= {"pads": _pads(call, rank), "output_padding": call.each("output_padding", 0, rank)}
    inputs = (call.x, call.tensor("weight"), call.get("bias"))
    call.end("ConvTranspose", *inputs, group=call.whole("groups", 1), **own)


def _addmm(call: Call) -> None:
    """beta bias + alpha (mat1 mat2)"""
    own = {"alpha": call.real("alpha", 1.0), "beta": call.real("beta", 1.0)}
    call.end("Gemm", call.tensor("mat1"), call.tensor("mat2"), call.x, **own)


def _batch_normalization(call: Call) -> None:
    if call.flag("training"):
        raise call.refused("is in training mode", EXPORT)
    channels = call.shape[1]
    scale = call.get("weight") or call.constant([1.0] * channels)
    bias = call.get("bias") or call.constant([0.0] * channels)
    mean, variance = call.tensor("running_mean"), call.tensor("running_var")
    call.end("BatchNormalization", call.x, scale, bias, mean, variance, epsilon=call.real("eps", 1e-5))


def _layer_normalization(call: Call) -> None:
    shape = call.wholes("normalized_shape")
    scale = call.get("weight") or call.constant([1.0] * shape[-1])
    own = {"axis": -len(shape), "epsilon": call.real("eps", 1e-5)}
    call.end("LayerNormalization", call.x, scale, call.get("bias"), **own)


def _group_normalization(call: Call) -> None:
    channels = call.shape[1]
    scale = call.get("weight") or call.constant([1.0] * channels)
    bias = call.get("bias") or call.constant([0.0] * channels)
    own = {"num_groups": call.whole("num_groups"), "epsilon": call.real("eps", 1e-5)}
    call.end("GroupNormalization", call.x, scale, bias, **own)


def _instance_normalization(call: Call) -> None:
    if not call.flag("use_input_stats", default=True):
        raise call.refused("uses statistics of the training", "use a batch normalization")
    _group_normalization(call.on(num_groups={"as_int": call.shape[1]}))


# -- poolings ----------------------------------------------------------------------------------------------------------


def _pool(kind: str, rank: int, call: Call) -> None:
    size = call.each("kernel_size", 1, rank)
    own = {"kernel_shape": size, "strides": call.wholes("stride", size), "pads": _pads(call, rank)}
    own["strides"] = own["strides"] * rank if len(own["strides"]) == 1 else own["strides"]
    mode = int(call.flag("ceil_mode"))
    if kind == "MaxPool":
        call.end(kind, call.x, ceil_mode=mode, dilations=call.each("dilation", 1, rank), **own)
        return
    if call.get("divisor_override") is not None:
        raise call.refused("has a divisor of its own", "leave divisor_override out")
    call.end(kind, call.x, ceil_mode=mode, count_include_pad=int(call.flag("count_include_pad", default=True)), **own)


def _reduced(kind: str, call: Call) -> None:
    axes = call.wholes("dim", list(range(len(call.shape))))
    call.end(kind, call.x, call.wholes_of(*axes), keepdims=int(call.flag("keepdim")))


def _pixel_shuffle(call: Call) -> None:
    call.end("DepthToSpace", call.x, blocksize=call.whole("upscale_factor", 1), mode="CRD")


def _pad(call: Call) -> None:
    """Counts are told from the last axis on, before and behind it."""
    counts, rank = call.wholes("pad", call.wholes("padding", [])), len(call.shape)
    if len(counts) % 2 or len(counts) > 2 * rank:
        raise call.refused(f"has pad = {counts}", EXPORT)
    pairs = [(counts[i], counts[i + 1]) for i in range(0, len(counts), 2)]
    pairs = [*reversed(pairs)]
    pairs = [(0, 0)] * (rank - len(pairs)) + pairs
    pads = call.wholes_of(*(before for before, _ in pairs), *(behind for _, behind in pairs))
    told = call.get("mode") or ("constant" if "constant" in call.kind or call.kind == "aten.pad" else call.kind)
    mode = next((mode for word, mode in MODES.items() if word in told), None)
    if mode is None:
        raise call.refused(f"has mode {told!r:.20}", "pad with zeros, or use 'reflect' or 'replicate'")
    value = call.real("value", 0.0)
    if not math.isfinite(value):
        raise call.refused(f"pads with {value}", "use a number")
    call.end("Pad", call.x, pads, call.constant(value) if mode == "constant" and value else None, mode=mode)


MODES = {"constant": "constant", "reflect": "reflect", "replicat": "edge", "circular": "wrap"}
TRANSLATORS: Mapping[str, Translate] = {
    **dict.fromkeys(("aten.conv1d", "aten.conv2d", "aten.convolution"), _convolution),
    **dict.fromkeys(("aten.conv_transpose1d", "aten.conv_transpose2d"), _transposed),
    "aten.linear": lambda call: call.end("pytorch.Linear", call.x, call.tensor("weight"), call.get("bias")),
    "aten.addmm": _addmm,
    **dict.fromkeys(("aten.mm", "aten.matmul"), lambda call: call.end("MatMul", call.x, call.tensor("mat2", "other"))),
    "aten.batch_norm": _batch_normalization,
    "aten._native_batch_norm_legit_no_training": _batch_normalization,
    "aten.layer_norm": _layer_normalization,
    "aten.native_layer_norm": _layer_normalization,
    "aten.group_norm": _group_normalization,
    "aten.instance_norm": _instance_normalization,
    **{f"aten.max_pool{rank}d": partial(_pool, "MaxPool", rank) for rank in (1, 2)},
    "aten.max_pool2d_with_indices": partial(_pool, "MaxPool", 2),
    **{f"aten.avg_pool{rank}d": partial(_pool, "AveragePool", rank) for rank in (1, 2)},
    "aten.amax": partial(_reduced, "ReduceMax"),
    "aten.mean": partial(_reduced, "ReduceMean"),
    "aten.sum": partial(_reduced, "ReduceSum"),
    "aten.pixel_shuffle": _pixel_shuffle,
    **dict.fromkeys(("aten.pad", "aten.constant_pad_nd"), _pad),
    **{f"aten.{kind}_pad{rank}d": _pad for kind in ("reflection", "replication") for rank in (1, 2)},
}
