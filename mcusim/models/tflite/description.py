"""What a `.tflite` file says, as plain data: verified, and without offsets."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np

from mcusim.graph import Shape
from mcusim.system.arrays import Array

ABSENT = -1  # in place of a tensor: an optional input that is not there


@dataclass(frozen=True, eq=False)
class Tensor:
    """`shape` with the batch; `signature` has -1 where the file leaves a length open. `dtype` as in schema.TYPES.

    `scales` (0, 1 or one for each place along `axis`) and `zero_points` (as many). `data`: of a constant, see `values`.
    `variable`: it keeps its numbers from one call to the next. `sparse`: its data is stored in a form of its own.
    """

    index: int
    name: str
    shape: Shape
    signature: Shape
    dtype: str
    scales: Array = field(default_factory=lambda: np.zeros(0, np.float32))
    zero_points: Array = field(default_factory=lambda: np.zeros(0, np.int64))
    axis: int = 0
    data: Array | None = None
    variable: bool = False
    sparse: bool = False

    @property
    def elements(self) -> int:
        return int(np.prod(self.shape, dtype=np.int64))

    @property
    def values(self) -> Array:
        """Of a constant. Those of int4 have two to a byte, the first in the low half."""
        assert self.data is not None
        if self.dtype != "int4":
            return self.data
        halves = np.stack([(self.data << 4).view(np.int8) >> 4, self.data.view(np.int8) >> 4], axis=1)
        return halves.reshape(-1)[: self.elements].reshape(self.shape)

    @property
    def quantized(self) -> bool:
        """Integers that stand for reals."""
        return len(self.scales) > 0 and "int" in self.dtype


@dataclass(frozen=True, eq=False)
class Operation:
    """`kind` as in schema.OPERATORS; of a custom operator its own name follows a colon. Tensors are indices, or ABSENT.

    `options`: those of schema.OPTIONS. `extra`: what a pass over the file found, or the name of a variable.
    """

    index: int
    kind: str
    version: int
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    options: Mapping[str, float] = field(default_factory=dict)
    extra: object = None


@dataclass(frozen=True, eq=False)
class Model:
    """`operations` in an order in which they can run, `inputs` and `outputs` in that of the (first) subgraph.

    `names`: of inputs and outputs, by tensor, where a signature tells them. `inner`: the subgraphs behind the first.
    `kept`: names of the last outputs, which are what variables become.
    """

    tensors: tuple[Tensor, ...]
    operations: tuple[Operation, ...]
    inputs: tuple[int, ...]
    outputs: tuple[int, ...]
    names: Mapping[int, str] = field(default_factory=dict)
    inner: "tuple[Model, ...]" = ()
    kept: tuple[str, ...] = ()

    @property
    def subgraphs(self) -> int:
        return 1 + len(self.inner)
