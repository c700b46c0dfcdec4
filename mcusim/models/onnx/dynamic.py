"""Sums whose results are integers, ConvInteger and MatMulInteger -> the same nodes on reals.

`quantize_dynamic` of onnxruntime writes them behind nodes that quantize as they run: only the weights of such a model
are integers; a scale for each sample and each tensor is what no integer kernel here has. So it is a model of reals,
whose weights have 8 bits, and own quantization may take it from there. Behind a QuantizeLinear the sums are of the
integers that it stores.
"""

from collections.abc import Mapping

import numpy as np

from mcusim.models.onnx.model import Node
from mcusim.system.arrays import Array

MICROSOFT = "com.microsoft"
SUMS: Mapping[str, str] = {"ConvInteger": "Conv", "MatMulInteger": "MatMul"}
QUANTIZE = "DynamicQuantizeLinear"
KINDS = (*SUMS, QUANTIZE)
AT_RUN_TIME = "integer weights are computed with as reals, where onnxruntime quantizes what they meet as it runs"


def is_dynamic(node: Node) -> bool:
    return not node.domain and node.kind in KINDS


def of_reals(node: Node, constants: Mapping[str, Array], step: float = 1.0) -> tuple[Node, dict[str, Array]] | None:
    """The node, and constants that it needs by name; None where weights are computed.

    What was quantized is there as it was, with the scale 1 and the zero 0; weights are less their zero, and what is
    multiplied behind them is their scale. `step`: the scale of the stored integers that a sum reads, which are reals
    here; it is multiplied behind the sum once more, and so leaves the weights.
    """
    if node.kind == QUANTIZE:
        scale, zero = ((*node.outputs, "", "")[place] for place in (1, 2))
        made = {scale: np.float32(1), zero: np.uint8(0)}
        own = {name: np.asarray(value) for name, value in made.items() if name}
        return Node("Identity", node.inputs[:1], node.outputs[:1], name=node.name), own
    weights, zero = (*node.inputs, "", "", "")[1], (*node.inputs, "", "", "")[3]
    if weights not in constants or (zero and zero not in constants):
        return None
    less: Array = constants[zero] if zero else np.zeros(1, np.int64)
    along = (-1, *(1,) * (constants[weights].ndim - 1)) if node.kind == "ConvInteger" and less.size > 1 else less.shape
    whole = constants[weights].astype(np.int64) - less.astype(np.int64).reshape(along)
    reals = (whole / np.float64(step)).astype(np.float32)
    name = f"{weights} of {node.outputs[0]}"
    made_node = Node(SUMS[node.kind], (node.inputs[0], name), node.outputs, node.attributes, node.name)
    return made_node, {name: reals}
