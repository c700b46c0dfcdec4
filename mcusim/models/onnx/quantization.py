"""Model with QuantizeLinear and its kin -> the same Model of reals, and what its tensors are stored as.

Two spellings say one thing. QDQ: what is computed goes through QuantizeLinear and DequantizeLinear, and so do weights.
QOperator: QLinearConv and others read and write integers, and are told the scales of both. Either becomes the operator
on reals, between tensors with `numbers`: what they are stored as. Integers without a sign are counted from -128 on.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from mcusim.models.onnx import dynamic
from mcusim.models.onnx.dynamic import MICROSOFT, is_dynamic
from mcusim.models.onnx.model import Model, Node
from mcusim.models.onnx.qonnx import is_quant, quant_of
from mcusim.models.problems import ODD
from mcusim.numbers.affine import Affine
from mcusim.system.arrays import Array
from mcusim.system.errors import ModelError
from mcusim.system.names import printable, shortened


@dataclass(frozen=True)
class Stored:
    """A constant as the file has it: `integers` times `scales`, one for all or one for each place along `axis`."""

    integers: Array
    scales: Array
    axis: int

    @property
    def reals(self) -> Array:
        along = [-1 if axis == self.axis and self.scales.size > 1 else 1 for axis in range(self.integers.ndim)]
        return (self.integers.astype(np.float32) * self.scales.reshape(along)).astype(np.float32)


@dataclass
class Quantization:
    """`model`: of reals. `numbers`: of tensors, and `stored`: of constants, by name."""

    model: Model
    numbers: dict[str, Affine] = field(default_factory=dict)
    stored: dict[str, Stored] = field(default_factory=dict)
    at_run_time: bool = False  # is some of it quantized only then? It is of reals here


@dataclass(frozen=True)
class Spelled:
    """Where an operator on integers has its operands (value, scale, zero), its output's scale and zero, its bias."""

    kind: str
    operands: tuple[tuple[int, int, int], ...]
    out: tuple[int, int]
    bias: int | None = None


TWO = ((0, 1, 2), (3, 4, 5))
ONE = ((0, 1, 2),)
OPERATORS: Mapping[tuple[str, str], Spelled] = {
    ("", "QLinearConv"): Spelled("Conv", TWO, (6, 7), 8),
    ("", "QLinearMatMul"): Spelled("MatMul", TWO, (6, 7)),
    (MICROSOFT, "QGemm"): Spelled("Gemm", TWO, (7, 8), 6),
    (MICROSOFT, "QLinearAdd"): Spelled("Add", TWO, (6, 7)),
    (MICROSOFT, "QLinearAveragePool"): Spelled("AveragePool", ONE, (3, 4)),
    (MICROSOFT, "QLinearGlobalAveragePool"): Spelled("GlobalAveragePool", ONE, (3, 4)),
    (MICROSOFT, "QLinearLeakyRelu"): Spelled("LeakyRelu", ONE, (3, 4)),
    (MICROSOFT, "QLinearMul"): Spelled("Mul", TWO, (6, 7)),
    (MICROSOFT, "QLinearSigmoid"): Spelled("Sigmoid", ONE, (3, 4)),
    (MICROSOFT, "QLinearSoftmax"): Spelled("Softmax", ONE, (3, 4)),
}
QUANTIZED = tuple(f"{domain}.{kind}" if domain else kind for domain, kind in (*OPERATORS, (MICROSOFT, "QLinearConcat")))
DROPPED = ("channels_last", "opset")  # attributes of these alone; channels are first, and softmax goes along its axis


def of_reals(model: Model) -> Quantization:
    """Raises ModelError for scales that no numbers have."""
    reader = _Reader(model)
    for node in model.nodes:
        try:
            with np.errstate(all="ignore"):
                reader.read(node)
        except ODD as error:
            why = f"has settings that cannot be understood ({type(error).__name__}: {str(error)[:80]!r})"
            raise _refused(node, why, "quantize the model again") from None
    made = replace(model, nodes=tuple(reader.nodes), constants={**model.constants, **reader.reals})
    return Quantization(made, reader.numbers, reader.stored, bool(reader.at_run_time))


class _Reader:
    def __init__(self, model: Model) -> None:
        self.constants: dict[str, Array] = dict(model.constants)
        for node in model.nodes:
            value = node.attributes.get("value")
            if node.kind == "Constant" and node.outputs and isinstance(value, np.ndarray):
                self.constants[node.outputs[0]] = value
        self.nodes: list[Node] = []
        self.numbers: dict[str, Affine] = {}
        self.stored: dict[str, Stored] = {}
        self.reals: dict[str, Array] = {}  # of what is stored
        self.chosen: set[str] = set()  # scales and zeros that are found as it runs: nothing is stored in them
        self.at_run_time: set[str] = set()  # what is quantized only then: it is as it was
        self.moved: dict[str, str] = {}  # integers in another order or shape, and whose they are

    def _keep(self, name: str, stored: Stored) -> None:
        self.stored[name], self.reals[name] = stored, stored.reals

    def read(self, node: Node) -> None:
        spelled = OPERATORS.get((node.domain, node.kind))
        if spelled is not None:
            self.nodes.append(self._operator(node, spelled))
        elif (node.domain, node.kind) == (MICROSOFT, "QLinearConcat"):
            self.nodes.append(self._concat(node))
        elif is_quant(node):
            self.nodes.append(self._quant(node))
        elif is_dynamic(node):
            self.nodes.append(self._dynamic(node))
        elif node.kind == "Transpose" and not node.domain and node.inputs[0] in self.stored:
            self.nodes.append(self._transposed(node))
        elif node.kind == "QuantizeLinear" and node.domain in ("", MICROSOFT) and node.inputs[0] not in self.constants:
            self.numbers[node.outputs[0]] = self._numbers(node, *_pair(node, 1))
            self.nodes.append(replace(node, inputs=node.inputs[:1], attributes={}, domain=""))
        elif node.kind == "QuantizeLinear" and node.domain in ("", MICROSOFT):
            self.nodes.append(self._quantized(node))
        elif node.kind == "DequantizeLinear" and node.domain in ("", MICROSOFT):
            self.nodes.append(self._dequantized(node))
        else:
            self._move(node)
            self.nodes.append(node)

    def _move(self, node: Node) -> None:
        """Where integers go, for the sums that read them; weights in another shape are constants."""
        if node.kind not in MOVING or node.domain or not node.inputs:
            return
        self.moved |= dict.fromkeys(node.outputs, self.moved.get(node.inputs[0], node.inputs[0]))
        if node.kind == "Reshape" and all(name in self.constants for name in node.inputs):
            shape = [int(size) for size in self.constants[node.inputs[1]].reshape(-1)]
            if 0 not in shape:
                self.constants[node.outputs[0]] = self.constants[node.inputs[0]].reshape(shape)

    def _dynamic(self, node: Node) -> Node:
        made = dynamic.of_reals(node, self.constants, self._scale(node))
        if made is None:
            raise _refused(node, "computes its weights", AGAIN)
        self.constants |= made[1]
        self.reals |= made[1]
        if node.kind == dynamic.QUANTIZE:
            self.chosen |= set(node.outputs[1:])
            self.at_run_time.add(node.outputs[0])
        return made[0]

    def _scale(self, node: Node) -> float:
        """Of the integers that a sum reads, counted from the zero that they are stored with."""
        read = self.moved.get(node.inputs[0], node.inputs[0])
        if node.kind == dynamic.QUANTIZE or read in self.at_run_time:
            return 1.0
        if read not in self.numbers:
            raise _refused(node, "reads integers that no QuantizeLinear makes", AGAIN)
        zero = self._array(node, node.inputs[2]) if len(node.inputs) > 2 and node.inputs[2] else np.zeros(1, np.uint8)
        stored = self.numbers[read]
        if zero.size != 1 or int(zero.reshape(-1)[0]) - (128 if zero.dtype == np.uint8 else 0) != stored.zero:
            raise _refused(node, "reads a tensor in other numbers than it is stored in", "quantize the model again")
        return stored.scale

    def _quantized(self, node: Node) -> Node:
        """Of a constant it is one."""
        reals, scale = self.constants[node.inputs[0]], self._array(node, node.inputs[1]).astype(np.float32)
        zero = self._array(node, node.inputs[2]) if len(node.inputs) > 2 and node.inputs[2] else np.zeros((), np.uint8)
        axis = node.attributes.get("axis", 1)
        if zero.dtype.kind not in "iu" or not isinstance(axis, int) or node.attributes.get("block_size"):
            raise _refused(node, f"stores {zero.dtype}, or in blocks", EIGHT)
        along = [-1 if place == axis % max(reals.ndim, 1) else 1 for place in range(reals.ndim)]
        scales, zeros = (one.reshape(along if one.size > 1 else ()) for one in (scale, zero.astype(np.float32)))
        about = np.iinfo(zero.dtype)
        whole = np.clip(np.rint(reals / scales) + zeros, about.min, about.max).astype(zero.dtype)
        self.constants[node.outputs[0]] = self.reals[node.outputs[0]] = whole
        return replace(node, outputs=())

    def _dequantized(self, node: Node) -> Node:
        """Of a constant it is one; else only the name of a tensor that is stored."""
        name = node.inputs[0]
        if name in self.constants:
            axis = node.attributes.get("axis", 1)
            if not node.attributes.get("block_size") and isinstance(axis, int):
                self._store(node, node.outputs[0], name, *_pair(node, 1), axis)
                return replace(node, outputs=())  # nobody needs it: the constant is there
            return node
        self._demand(node, name, self._numbers(node, *_pair(node, 1)))
        return replace(node, kind="Identity", inputs=(name,), attributes={}, domain="")

    def _transposed(self, node: Node) -> Node:
        """Weights in another order are those of the file, too."""
        stored = self.stored[node.inputs[0]]
        axes = node.attributes.get("perm", tuple(reversed(range(stored.integers.ndim))))
        if sorted(axes) != list(range(stored.integers.ndim)):
            raise _refused(node, f"transposes weights by {axes!r:.40}", "export the model again")
        axis = axes.index(stored.axis) if stored.axis < len(axes) else stored.axis
        self._keep(node.outputs[0], Stored(stored.integers.transpose(axes), stored.scales, axis))
        return replace(node, outputs=())

    def _quant(self, node: Node) -> Node:
        """Of QONNX: constants become integers, what is computed is stored in numbers, perhaps between bounds."""
        name, scale = node.inputs[0], self._array(node, node.inputs[1]).astype(np.float32)
        if not np.isfinite(scale).all() or (scale <= 0).any():
            raise _refused(node, "has scales that are no numbers", "quantize the model again")
        if node.kind == "BipolarQuant":
            if name not in self.constants:
                raise _refused(node, "makes signs of what is computed", "use 2 bits or more")
            self._constant(node, np.where(self.constants[name] >= 0, 1, -1), scale)
            return replace(node, outputs=())
        zero, bits = (float(self._array(node, one).reshape(-1)[0]) for one in node.inputs[2:4])
        quant = quant_of(node, int(bits)) if bits == int(bits) else None
        if quant is None or zero:
            raise _refused(node, f"has {bits:g} bits, or a zero of {zero:g}", "quantize with whole bits around 0")
        if name in self.constants:
            self._constant(node, quant.integers(self.constants[name], scale), scale)
            return replace(node, outputs=())
        numbers = quant.numbers(float(scale.reshape(-1)[0])) if scale.size == 1 else None
        if numbers is None:
            raise _refused(node, f"stores {bits:g} bits with {scale.size} scales", EIGHT)
        self.numbers[node.outputs[0]] = numbers
        bounds = quant.bounds(numbers)
        if bounds is None:
            return replace(node, kind="QuantizeLinear", inputs=(name,), attributes={}, domain="")
        own = {"floor": bounds[0], "ceiling": bounds[1]}
        return replace(node, kind="Bounded", inputs=(name,), attributes=own, domain="mcusim")

    def _constant(self, node: Node, integers: Array, scale: Array) -> None:
        """Its scales lie along the only axis that has several."""
        wide = [axis for axis, size in enumerate(scale.shape) if size > 1]
        if len(wide) > 1 or (wide and scale.ndim != integers.ndim):
            raise _refused(node, f"has scales of shape {scale.shape}", "use one a tensor, or one a channel")
        if wide and scale.size != integers.shape[wide[0]]:
            raise _refused(node, f"has {scale.size} scales for {integers.shape}", "use one for each channel")
        self._keep(node.outputs[0], Stored(integers, scale.reshape(-1), wide[0] if wide else 0))

    def _operator(self, node: Node, spelled: Spelled) -> Node:
        inputs = [self._operand(node, *places) for places in spelled.operands]
        if spelled.bias is not None and spelled.bias < len(node.inputs) and node.inputs[spelled.bias]:
            inputs.append(self._bias(node, node.inputs[spelled.bias], spelled))
        scale, zero = (node.inputs[place] if place < len(node.inputs) else "" for place in spelled.out)
        self.numbers[node.outputs[0]] = self._numbers(node, scale, zero)
        kept = {key: value for key, value in node.attributes.items() if key not in DROPPED}
        if node.attributes.get("channels_last"):
            raise _refused(node, "has its channels last", "export it with channels first")
        return replace(node, kind=spelled.kind, inputs=tuple(inputs), attributes=kept, domain="")

    def _concat(self, node: Node) -> Node:
        parts = [node.inputs[place : place + 3] for place in range(2, len(node.inputs), 3)]
        for name, scale, zero in parts:
            self._demand(node, name, self._numbers(node, scale, zero))
        self.numbers[node.outputs[0]] = self._numbers(node, *node.inputs[:2])
        return replace(node, kind="Concat", inputs=tuple(name for name, _, _ in parts), domain="")

    def _operand(self, node: Node, value: int, scale: int, zero: int) -> str:
        """Weights become constants of their own: the same ones may be read with other scales."""
        name = node.inputs[value]
        told = [node.inputs[place] if place < len(node.inputs) else "" for place in (scale, zero)]
        if name not in self.constants:
            self._demand(node, name, self._numbers(node, *told))
            return name
        own = f"{name} of {node.outputs[0]}"
        outputs_first = node.kind == "QLinearConv" or node.attributes.get("transB")
        self._store(node, own, name, told[0], told[1], 0 if outputs_first else -1)
        return own

    def _bias(self, node: Node, name: str, spelled: Spelled) -> str:
        """At the scale of the sums."""
        entry, weights = (self._array(node, node.inputs[places[1]]) for places in spelled.operands)
        own = f"{name} of {node.outputs[0]}"
        scales = (entry.reshape(-1).astype(np.float64) * weights.reshape(-1)).astype(np.float32)
        self._keep(own, Stored(self._array(node, name), scales, 0))
        return own

    def _store(self, node: Node, own: str, name: str, scale: str, zero: str, axis: int) -> None:
        integers, scales = self.constants[name], self._array(node, scale).astype(np.float32).reshape(-1)
        zeros = self._array(node, zero).reshape(-1).astype(np.int64) if zero else np.zeros(1, np.int64)
        axis = axis + integers.ndim if axis < 0 else axis
        if not np.isfinite(scales).all() or (scales <= 0).any() or integers.dtype.kind not in "iu":
            raise _refused(node, f"has weights {name!r:.60} of scales that are no numbers", "quantize the model again")
        if scales.size > 1 and (axis >= integers.ndim or integers.shape[axis] != scales.size):
            raise _refused(node, f"has {scales.size} scales for {integers.shape}", "use one a tensor, or one a channel")
        along = [-1 if place == axis and zeros.size > 1 else 1 for place in range(integers.ndim)]
        self._keep(own, Stored(integers.astype(np.int64) - zeros.reshape(along), scales, axis))

    def _demand(self, node: Node, name: str, numbers: Affine) -> None:
        """A tensor is read in the numbers that it was written in."""
        if self.numbers.setdefault(name, numbers) != numbers:
            raise _refused(node, "reads a tensor in other numbers than it is stored in", "quantize the model again")

    def _numbers(self, node: Node, scale: str, zero: str) -> Affine:
        scales, zeros = self._array(node, scale), self._array(node, zero) if zero else np.zeros(1, np.uint8)
        if scales.size != 1 or zeros.size != 1 or str(zeros.dtype) not in ("int8", "uint8", "int16"):
            raise _refused(node, f"stores {zeros.dtype} with scales of shape {scales.shape}", EIGHT)
        bits = 8 * zeros.dtype.itemsize
        if bits > 8 and zeros.any():
            raise _refused(node, f"stores int16 with the zero {zeros.reshape(-1)[0]}", SYMMETRIC)
        value = float(np.float32(scales.reshape(-1)[0]))
        if not 0 < value < np.inf:
            raise _refused(node, f"has the scale {value}", "quantize the model again")
        return Affine(bits, value, int(zeros.reshape(-1)[0]) - (128 if zeros.dtype == np.uint8 else 0))

    def _array(self, node: Node, name: str) -> Array:
        if name not in self.constants or name in self.chosen:
            raise _refused(node, f"is told {shortened(printable(name), 60)!r}, which is no constant", AGAIN)
        return self.constants[name]


EIGHT = "quantize activations to 8 bits, with one scale for a tensor"
SYMMETRIC = "quantize 16 bits around 0: extra_options={'ActivationSymmetric': True}, or to 8 bits"
MOVING = ("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "Identity", "MaxPool", "Slice", "Split", "Gather")
AGAIN = "quantize the model statically: quantize_static of onnxruntime"


def _pair(node: Node, first: int) -> tuple[str, str]:
    names = (*node.inputs, "", "", "")
    return names[first], names[first + 1]


def _refused(node: Node, why: str, hint: str) -> ModelError:
    name = shortened(printable(node.name or next(iter(node.outputs), node.kind)), 200)
    return ModelError(f"layer {name!r} ({node.kind}) {why}", hint=hint)
