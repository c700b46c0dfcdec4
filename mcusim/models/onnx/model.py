"""What an ONNX file or a program of PyTorch says, as plain values: nodes that read and write tensors by name."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from mcusim.system.arrays import Array

# "" is the standard's own; older tools wrote its name out.
STANDARD = ("", "ai.onnx")


@dataclass(frozen=True)
class Node:
    """`inputs`: names, "" for one that is left out. `attributes`: numbers, texts, tuples of them, and arrays."""

    kind: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any] = field(default_factory=dict)
    name: str = ""
    domain: str = ""


@dataclass(frozen=True)
class Declared:
    """An input or output of the model. `shape`: with the batch, None for an axis that is left open; None when none is
    told. `dtype`: as NumPy spells it, "" for what NumPy does not have.
    """

    name: str
    shape: tuple[int | None, ...] | None
    dtype: str = "float32"


@dataclass(frozen=True)
class Model:
    """`constants` by name. `opsets`: version of the operators by domain. `turned`: inputs whose first two axes are the
    other way round in the file.
    """

    nodes: tuple[Node, ...]
    inputs: tuple[Declared, ...]
    outputs: tuple[Declared, ...]
    constants: Mapping[str, Array]
    opsets: Mapping[str, int]
    turned: frozenset[str] = frozenset()

    @property
    def opset(self) -> int:
        return self.opsets[""]
