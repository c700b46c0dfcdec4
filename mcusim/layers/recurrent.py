"""What LSTM, GRU and SimpleRNN share: a state that walks along a sequence of fixed length."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar, TypeVar

import numpy as np

from mcusim.graph import Layer
from mcusim.numbers.numbers import Activation, Conversion, Numbers, Range, Scheme
from mcusim.numbers.recurrent import Chosen, FloatStates, IntegerStates, States, integer_states
from mcusim.system.arrays import Array

R = TypeVar("R", bound="Recurrent")


@dataclass(frozen=True, kw_only=True, eq=False)
class Recurrent(Layer):
    """Input (steps, features); output (steps, units) with `sequence`, else (units,). The first state is 0.

    Rows of `kernel` (gates x units, features), `recurrent` (gates x units, units) and the biases are those of the first
    gate, then of the second. Integers: each bias is at the scale of its sums, the state has 16 bits.
    """

    GATES: ClassVar[int]
    READS_UNSIGNED = True

    steps: int
    kernel: Array
    recurrent: Array
    bias: Array
    recurrent_bias: Array
    activation: Chosen
    gate: Chosen
    sequence: bool = False
    backwards: bool = False
    kernel_numbers: Numbers | None = None
    recurrent_numbers: Numbers | None = None
    states: IntegerStates | None = None
    conversion: Conversion | None = None

    @property
    def weight_numbers(self) -> Numbers | None:
        return self.kernel_numbers

    @property
    def units(self) -> int:
        return int(self.recurrent.shape[1])

    @property
    def macs(self) -> int:
        return self.steps * (self.kernel.size + self.recurrent.size)

    @property
    def weights(self) -> Mapping[str, Array]:
        arrays = {"kernel": self.kernel, "recurrent": self.recurrent, "bias": self.bias}
        return arrays | ({"recurrent_bias": self.recurrent_bias} if self.recurrent_bias.any() else {})

    @property
    def run_bytes(self) -> int:
        return 32 * self.steps * len(self.kernel)

    def run(self, *inputs: Array) -> Array:
        shown = [values["state"] for values in self._walk(inputs[0])]
        output = np.stack(shown, axis=1) if self.sequence else shown[-1]
        return output if self.conversion is None else self.conversion.apply(output)

    def inner_values(self, *inputs: Array) -> Mapping[str, Array]:
        walked = self._walk(inputs[0])
        return {name: np.stack([values[name] for values in walked], axis=1) for name in walked[0]}

    def _walk(self, x: Array) -> list[dict[str, Array]]:
        """What is inside after each step, in the order of running; `state` is always among it."""
        arithmetic: States = self.states or FloatStates(self.gate, self.activation)
        sums = self._sums(x, self.kernel, self.bias).reshape(len(x), self.steps, self.GATES, self.units)
        values = {name: np.zeros((len(x), self.units), arithmetic.dtype) for name in ("state", "cell")}
        walked = []
        for step in reversed(range(self.steps)) if self.backwards else range(self.steps):
            values = self.step(arithmetic, sums[:, step], values)
            walked.append(values)
        return walked

    def step(self, arithmetic: States, from_input: Array, values: dict[str, Array]) -> dict[str, Array]:
        """`from_input`: (N, gates, units), sums over inputs."""
        raise NotImplementedError

    def from_state(self, state: Array, gates: slice = slice(None)) -> Array:
        """Sums over a state for some of the gates: (N, gates, units)."""
        rows = slice((gates.start or 0) * self.units, None if gates.stop is None else gates.stop * self.units)
        sums = self._sums(state, self.recurrent[rows], self.recurrent_bias[rows])
        return sums.reshape(len(state), -1, self.units)

    def _sums(self, x: Array, kernel: Array, bias: Array) -> Array:
        if self.states is None:
            return np.asarray(x @ kernel.T + bias)
        sums = x.astype(np.float64) @ kernel.T.astype(np.float64)  # exact below 2**53
        return np.asarray(sums.astype(np.int64) + bias)

    def quantize(self: R, scheme: Scheme, inputs: tuple[Numbers, ...], values: Range) -> R:
        """The formats of what is inside, where the activation does not bound it, come from `values.inner`."""
        unbounded = isinstance(self.activation, Activation)
        chosen = {"cell", "state", "candidate"} if unbounded else {"cell"}
        kept = {name: scheme.inner_numbers(values.inner.get(name, Range())) for name in chosen}
        if unbounded and "cell" not in values.inner:
            kept["state"] = kept["candidate"]  # one scale for what the update gate mixes
        inner = {name: numbers.scale_factor for name, numbers in kept.items()}
        one = scheme.inner_one
        over_inputs = scheme.inner_sum(self.kernel, self.bias, inputs[0])
        state = kept["state"] if unbounded else one
        over_states = scheme.inner_sum(self.recurrent, self.recurrent_bias, state)
        conversion = scheme.conversion(state, scheme.numbers_for(values))
        return replace(
            self,
            kernel=over_inputs.kernel,
            bias=over_inputs.bias,
            kernel_numbers=over_inputs.kernel_numbers,
            recurrent=over_states.kernel,
            recurrent_bias=over_states.bias,
            recurrent_numbers=over_states.kernel_numbers,
            states=integer_states(self.gate, self.activation, (over_inputs, over_states), inner),
            conversion=conversion,
            numbers=conversion.numbers,
        )
