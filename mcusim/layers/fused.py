"""Two layers that run as one, band by band: what the first writes never lies in memory as a whole."""

from dataclasses import dataclass

from mcusim.graph import Layer
from mcusim.numbers.numbers import Numbers
from mcusim.system.arrays import Array


@dataclass(frozen=True, kw_only=True, eq=False)
class Fused(Layer):
    """`first`, which only `second` reads, and `second`. Inputs are those of `first`, then what else `second` reads.

    No model has one: `line/fuse.py` makes it of a quantized graph, where memory is short. So it is none of LAYERS.
    """

    first: Layer
    second: Layer

    @classmethod
    def of(cls, first: Layer, second: Layer) -> "Fused":
        others = [name for name in second.inputs if name != first.name]
        return cls(
            name=f"{first.name}+{second.name}",
            inputs=tuple(dict.fromkeys((*first.inputs, *others))),
            shape=second.shape,
            numbers=second.numbers,
            first=first,
            second=second,
        )

    @property
    def kind(self) -> str:
        return f"{self.first.kind} + {self.second.kind}"

    @property
    def macs(self) -> int:
        return self.first.macs + self.second.macs

    @property
    def arithmetic(self) -> Numbers | None:
        return self.first.arithmetic

    @property
    def weight_numbers(self) -> Numbers | None:
        return self.first.weight_numbers

    @property
    def accumulator_peak(self) -> int:
        return max(self.first.accumulator_peak, self.second.accumulator_peak)

    @property
    def run_bytes(self) -> int:
        return self.first.run_bytes + self.second.run_bytes

    @property
    def overwritable(self) -> tuple[str, ...]:
        """What a sum adds may give way to it, but not what later bands of the first layer read."""
        return tuple(name for name in self.second.overwritable if name not in (self.first.name, *self.first.inputs))

    def nonnegative(self, inputs: tuple[bool, ...]) -> bool:
        told = dict(zip(self.inputs, inputs, strict=True))
        told[self.first.name] = self.first.nonnegative(tuple(told[name] for name in self.first.inputs))
        return self.second.nonnegative(tuple(told[name] for name in self.second.inputs))

    def run(self, *inputs: Array) -> Array:
        values = dict(zip(self.inputs, inputs, strict=True))
        values[self.first.name] = self.first.run(*(values[name] for name in self.first.inputs))
        return self.second.run(*(values[name] for name in self.second.inputs))
