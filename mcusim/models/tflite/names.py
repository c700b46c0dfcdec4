"""Names of tensors in a file -> names of layers: `model/activation/Relu;model/conv2d/BiasAdd` -> `conv2d`."""

import re

LONGEST_NAME = 60
# What TensorFlow puts behind the name of a layer, without the digits at its end: operations, in its own spelling.
OPERATIONS = {
    *("Relu", "BiasAdd", "MatMul", "Conv", "Conv2D", "FusedBatchNormV", "ReadVariableOp", "Reshape", "AvgPool", "Mean"),
    *("MaxPool", "AddV", "Add", "Mul", "Sub", "Softmax", "Sigmoid", "Tanh", "Identity", "StatefulPartitionedCall"),
    *("PartitionedCall", "Rsqrt", "Squeeze", "ExpandDims", "Pad", "Shape", "Conv2DBackpropInput", "Transpose"),
    "Tensordot",
}
INNER = {
    *("add", "batchnorm", "concat", "depthwise", "mul", "resource", "separable_conv2d", "stack", "strided_slice"),
    "sub",
}
PREFIX = re.compile(r"^(serving_default_|args_)")


def layer_name(tensor: str, kind: str) -> str:
    """Of the layer that computes it: the last part that the user gave, or the operator where there is none.

    Where several layers of the user's became one operation the last is that with the weights.
    """
    for part in reversed(tensor.split(";")):
        components = [PREFIX.sub("", component) for component in part.split("/") if component]
        if len(components) > 1 and _plain(components[-1]) in INNER:
            components.pop()
        while components and _plain(components[-1]) in (*OPERATIONS, "resource"):
            components.pop()
        if components:
            return _cleaned(components[-1]) or kind.lower()
    return kind.lower()


def tensor_name(tensor: str, default: str) -> str:
    """Of an input or an output of the model."""
    return _cleaned(PREFIX.sub("", tensor.split(";", maxsplit=1)[0].rsplit("/", maxsplit=1)[-1])) or default


def _plain(component: str) -> str:
    return component.split(":", maxsplit=1)[0].rstrip("_0123456789")


def _cleaned(name: str) -> str:
    """Letters, digits and underscores."""
    return re.sub(r"[^A-Za-z0-9_]+", "_", name.split(":", maxsplit=1)[0]).strip("_")[:LONGEST_NAME]
