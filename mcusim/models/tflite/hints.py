"""What helps where a file has something that mcusim does not compute: the converter's option, or another layer."""

from mcusim.models.problems import EMBEDDING

CONTROL_FLOW = {"IF", "WHILE", "CALL", "STABLEHLO_WHILE"}
VARIABLES = {
    *("CALL_ONCE", "VAR_HANDLE", "READ_VARIABLE", "ASSIGN_VARIABLE"),
    *("HASHTABLE", "HASHTABLE_FIND", "HASHTABLE_IMPORT"),
}
INT8 = (
    "convert it with TensorFlow 2: converter.optimizations = [tf.lite.Optimize.DEFAULT], a representative_dataset, and "
    "inference_input_type = inference_output_type = tf.int8"
)
STREAMING = {"RNN", "LSTM", "UNIDIRECTIONAL_SEQUENCE_RNN"}
LOOKING_UP = {"EMBEDDING_LOOKUP", "GATHER"}  # rows of a table, by numbers that are computed


def hint_of(kind: str) -> str | None:
    """Of an operator without a kernel; None where nothing special helps."""
    if kind.startswith("CUSTOM"):
        return "convert it with converter.allow_custom_ops = False, which names the layer; put another in its place"
    if kind in LOOKING_UP:
        return EMBEDDING
    if kind in CONTROL_FLOW:
        return "a loop or a branch cannot be read: convert with fixed shapes, and recurrent layers with unroll=True"
    if kind in STREAMING:
        return "it keeps a state from one sample to the next, and each starts anew here: use a model of a whole series"
    if kind in VARIABLES:
        return "a model that keeps variables cannot be read: train and convert it without them"
    return None


def type_hint(dtype: str) -> str:
    """Of a tensor whose type nothing computes with."""
    if dtype == "uint8":
        return f"this is the arithmetic of old files: {INT8}"
    if dtype == "float16":
        return "convert it with converter.target_spec.supported_types = [tf.float16] and float inputs, or as float32"
    return f"use float32, or int8: {INT8}"
