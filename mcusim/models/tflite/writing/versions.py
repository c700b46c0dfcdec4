"""Which version of an operator has what is asked of it: runtimes refuse versions that they do not know.

As TensorFlow's converter finds them (tensorflow/lite/tools/versioning). TFLM takes any.
"""

from collections.abc import Mapping, Sequence

from mcusim.models.tflite.writing.file import Tensor

# Kind -> version for float32, int8, int16. Others have one version.
BY_TYPE: Mapping[str, tuple[int, int, int]] = {
    **dict.fromkeys(("ADD",), (1, 2, 3)),
    **dict.fromkeys(("SUB",), (1, 2, 5)),
    **dict.fromkeys(("MUL", "MAXIMUM", "MINIMUM"), (1, 2, 4)),
    **dict.fromkeys(("AVERAGE_POOL_2D", "MAX_POOL_2D", "MEAN", "SOFTMAX", "LOGISTIC", "TANH"), (1, 2, 3)),
    **dict.fromkeys(("RELU", "RELU6", "PAD", "PADV2", "CONCATENATION", "DEQUANTIZE"), (1, 2, 3)),
    "SUM": (1, 2, 2),
    "LEAKY_RELU": (1, 1, 2),
    "CONV_2D": (1, 3, 4),
    "DEPTHWISE_CONV_2D": (1, 3, 5),
    "FULLY_CONNECTED": (1, 4, 7),
    "TRANSPOSE_CONV": (1, 2, 3),
    "TRANSPOSE": (1, 2, 5),
    "STRIDED_SLICE": (1, 2, 2),
    "RESIZE_NEAREST_NEIGHBOR": (1, 2, 4),
    "RESIZE_BILINEAR": (1, 2, 4),
    "GELU": (1, 2, 2),
}
TYPES = ("float32", "int8", "int16")
ACROSS_FOUR = 4  # axes


def version_of(kind: str, inputs: Sequence[Tensor], output: Tensor, options: Mapping[str, float]) -> int:
    first = inputs[2 if kind == "TRANSPOSE_CONV" else 0]
    known = BY_TYPE.get(kind, (1, 1, 1))
    version = known[TYPES.index(first.dtype)] if first.dtype in TYPES else known[0]
    if kind == "QUANTIZE":
        version = 2 if output.dtype == "int16" else 1
    return max([version, *_asked(kind, inputs, first, options)])


def _asked(kind: str, inputs: Sequence[Tensor], first: Tensor, options: Mapping[str, float]) -> list[int]:
    """Versions that had something first."""
    found = []
    if options.get("quantized_bias_type"):
        found.append({"CONV_2D": 8, "FULLY_CONNECTED": 11, "TRANSPOSE_CONV": 5}[kind])
    if kind == "DEPTHWISE_CONV_2D" and (options["dilation_h"], options["dilation_w"]) != (1, 1):
        found.append(2)
    if kind == "FULLY_CONNECTED" and len(inputs) == 2:
        found.append(6)
    if kind == "FULLY_CONNECTED" and options.get("keep_num_dims"):
        found.append(5)
    if kind == "TRANSPOSE_CONV" and len(inputs) == 4:
        found.append(3)
    if kind == "RESIZE_BILINEAR" and options.get("half_pixel_centers"):
        found.append(3)
    if kind == "MUL" and first.dtype == "int8":
        found.append(3)
    if kind in ("TRANSPOSE", "STRIDED_SLICE", "PAD", "PADV2") and len(first.shape) > ACROSS_FOUR:
        found.append(4)
    return found
