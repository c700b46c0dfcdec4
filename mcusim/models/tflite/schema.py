"""The part of TFLite's schema that is read: names of operators and types, slots and defaults of the operators' options.

From schema.fbs of TensorFlow 2.18. Numbers there never change their meaning, new ones are added at the end.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

IDENTIFIER = b"TFL3"

# Place in the list -> name. An operator that is not here is told by its number.
OPERATORS = """
    ADD AVERAGE_POOL_2D CONCATENATION CONV_2D DEPTHWISE_CONV_2D DEPTH_TO_SPACE DEQUANTIZE EMBEDDING_LOOKUP FLOOR
    FULLY_CONNECTED HASHTABLE_LOOKUP L2_NORMALIZATION L2_POOL_2D LOCAL_RESPONSE_NORMALIZATION LOGISTIC
    LSH_PROJECTION LSTM MAX_POOL_2D MUL RELU RELU_N1_TO_1 RELU6 RESHAPE RESIZE_BILINEAR RNN SOFTMAX SPACE_TO_DEPTH
    SVDF TANH CONCAT_EMBEDDINGS SKIP_GRAM CALL CUSTOM EMBEDDING_LOOKUP_SPARSE PAD UNIDIRECTIONAL_SEQUENCE_RNN
    GATHER BATCH_TO_SPACE_ND SPACE_TO_BATCH_ND TRANSPOSE MEAN SUB DIV SQUEEZE UNIDIRECTIONAL_SEQUENCE_LSTM
    STRIDED_SLICE BIDIRECTIONAL_SEQUENCE_RNN EXP TOPK_V2 SPLIT LOG_SOFTMAX DELEGATE BIDIRECTIONAL_SEQUENCE_LSTM
    CAST PRELU MAXIMUM ARG_MAX MINIMUM LESS NEG PADV2 GREATER GREATER_EQUAL LESS_EQUAL SELECT SLICE SIN
    TRANSPOSE_CONV SPARSE_TO_DENSE TILE EXPAND_DIMS EQUAL NOT_EQUAL LOG SUM SQRT RSQRT SHAPE POW ARG_MIN
    FAKE_QUANT REDUCE_PROD REDUCE_MAX PACK LOGICAL_OR ONE_HOT LOGICAL_AND LOGICAL_NOT UNPACK REDUCE_MIN FLOOR_DIV
    REDUCE_ANY SQUARE ZEROS_LIKE FILL FLOOR_MOD RANGE RESIZE_NEAREST_NEIGHBOR LEAKY_RELU SQUARED_DIFFERENCE
    MIRROR_PAD ABS SPLIT_V UNIQUE CEIL REVERSE_V2 ADD_N GATHER_ND COS WHERE RANK ELU REVERSE_SEQUENCE MATRIX_DIAG
    QUANTIZE MATRIX_SET_DIAG ROUND HARD_SWISH IF WHILE NON_MAX_SUPPRESSION_V4 NON_MAX_SUPPRESSION_V5 SCATTER_ND
    SELECT_V2 DENSIFY SEGMENT_SUM BATCH_MATMUL PLACEHOLDER_FOR_GREATER_OP_CODES CUMSUM CALL_ONCE BROADCAST_TO
    RFFT2D CONV_3D IMAG REAL COMPLEX_ABS HASHTABLE HASHTABLE_FIND HASHTABLE_IMPORT HASHTABLE_SIZE REDUCE_ALL
    CONV_3D_TRANSPOSE VAR_HANDLE READ_VARIABLE ASSIGN_VARIABLE BROADCAST_ARGS RANDOM_STANDARD_NORMAL BUCKETIZE
    RANDOM_UNIFORM MULTINOMIAL GELU DYNAMIC_UPDATE_SLICE RELU_0_TO_1 UNSORTED_SEGMENT_PROD UNSORTED_SEGMENT_MAX
    UNSORTED_SEGMENT_SUM ATAN2 UNSORTED_SEGMENT_MIN SIGN BITCAST BITWISE_XOR RIGHT_SHIFT
""".split()  # noqa: SIM905 (as a literal it would be a line for each)

TYPES = """
    float32 float16 int32 uint8 int64 string bool int16 complex64 int8 float64 complex128 uint64 resource variant
    uint32 uint16 int4 bfloat16
""".split()  # noqa: SIM905 (as a literal it would be a line for each)
# Those whose constants are read; int4 has two to a byte.
DTYPES: Mapping[str, np.dtype[np.generic]] = {
    name: np.dtype(name).newbyteorder("<")
    for name in ("float32", "float16", "int32", "uint8", "int64", "bool", "int16", "int8", "float64", "uint32")
}


@dataclass(frozen=True)
class Options:
    """`number`: of their table in the union. `fields`: name -> slot, kind, default."""

    number: int
    fields: Mapping[str, tuple[int, str, float]]


def _options(number: int, text: str) -> Options:
    """Fields by slot: `name:kind`, `name:kind=default`; a slot that is not read is `-`."""
    fields: dict[str, tuple[int, str, float]] = {}
    for slot, field in enumerate(text.split()):
        name, _, kind = field.partition(":")
        kind, _, default = kind.partition("=")
        if name != "-":
            fields[name] = (slot, kind, float(default or 0))
    return Options(number, fields)


_ACTIVATION = "activation:i8"
_POWERS = "pot_scale_int16:bool=1"
_STRIDES = "stride_w:i32 stride_h:i32"
_DILATION = "dilation_w:i32=1 dilation_h:i32=1"
_REDUCER = _options(27, "keep_dims:bool")

OPTIONS: Mapping[str, Options] = {
    "ADD": _options(11, f"{_ACTIVATION} {_POWERS}"),
    "AVERAGE_POOL_2D": _options(5, f"padding:i8 {_STRIDES} filter_w:i32 filter_h:i32 {_ACTIVATION}"),
    "CONCATENATION": _options(10, f"axis:i32 {_ACTIVATION}"),
    "CONV_2D": _options(1, f"padding:i8 {_STRIDES} {_ACTIVATION} {_DILATION} quantized_bias_type:i8"),
    "DEPTHWISE_CONV_2D": _options(2, f"padding:i8 {_STRIDES} depth_multiplier:i32 {_ACTIVATION} {_DILATION}"),
    "DEPTH_TO_SPACE": _options(94, "block_size:i32"),
    "DIV": _options(29, _ACTIVATION),
    "FULLY_CONNECTED": _options(8, f"{_ACTIVATION} weights_format:i8 keep_num_dims:bool - quantized_bias_type:i8"),
    "GATHER": _options(23, "axis:i32 batch_dims:i32"),
    "GELU": _options(116, "approximate:bool"),
    "LEAKY_RELU": _options(75, "alpha:f32"),
    "MAX_POOL_2D": _options(5, f"padding:i8 {_STRIDES} filter_w:i32 filter_h:i32 {_ACTIVATION}"),
    "MEAN": _REDUCER,
    "MIRROR_PAD": _options(77, "mode:i8"),
    "MUL": _options(21, _ACTIVATION),
    "PACK": _options(59, "- axis:i32"),
    "REDUCE_MAX": _REDUCER,
    "REDUCE_PROD": _REDUCER,
    "RESIZE_BILINEAR": _options(15, "- - align_corners:bool half_pixel_centers:bool"),
    "RESIZE_NEAREST_NEIGHBOR": _options(74, "align_corners:bool half_pixel_centers:bool"),
    "SOFTMAX": _options(9, "beta:f32"),
    "SPACE_TO_DEPTH": _options(19, "block_size:i32"),
    "STRIDED_SLICE": _options(
        32, "begin_mask:i32 end_mask:i32 ellipsis_mask:i32 new_axis_mask:i32 shrink_axis_mask:i32 offset:bool"
    ),
    "SUB": _options(28, f"{_ACTIVATION} {_POWERS}"),
    "SUM": _REDUCER,
    "SVDF": _options(6, f"rank:i32 {_ACTIVATION}"),
    "TRANSPOSE_CONV": _options(49, f"padding:i8 {_STRIDES} {_ACTIVATION} quantized_bias_type:i8"),
    "UNIDIRECTIONAL_SEQUENCE_LSTM": _options(71, f"{_ACTIVATION} cell_clip:f32 proj_clip:f32 time_major:bool - -"),
    "UNPACK": _options(64, "- axis:i32"),
    "WHILE": _options(93, "cond_subgraph_index:i32 body_subgraph_index:i32"),
}
