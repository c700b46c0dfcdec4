"""What a recurrent layer does between its sums, in float32 and on integers: the twin of `codegen/numbers/states.h`.

Integers inside of a layer have 16 bits, whatever the width of its weights, inputs and outputs:

    sums        32 bits, exact: of inputs x kernel with the bias, and of the state x recurrent kernel
    gates       both sums at 2^-12 and saturated to +-8 become an entry of a table, with lines between its entries
    state       2^-15 where the activation is bounded, else as the calibration samples say
    cell        as the calibration samples say, 2^-15 at the finest

Products have 64 bits and are rounded to the nearest once. The tables are off by 4 units of 2^-15 at most (tanh).
"""

from dataclasses import dataclass

import numpy as np

from mcusim.numbers.functions import Function
from mcusim.numbers.numbers import Activation, Fields, InnerSum
from mcusim.system.arrays import Array

Chosen = Function | Activation  # what bounds gates and states: a table of integers, or ReLU and nothing
STATE_ONE = 15  # a gate is open at 2^15
GATE_FRACTION = 12
STEP_BITS = 7  # from one entry of a table to the next
LARGEST_SHIFT_LEFT, LARGEST_SHIFT_RIGHT = 31, 62


@dataclass(frozen=True)
class FloatStates:
    """Each operation as C does it; sums alone have an order of their own there."""

    gate: Chosen
    activation: Chosen
    dtype = np.dtype(np.float32)

    def joined(self, from_input: Array, from_state: Array, *, candidate: bool = False) -> Array:
        return np.asarray(from_input + from_state)

    def opened(self, x: Array) -> Array:
        return self.gate.apply(x)

    def activated(self, x: Array) -> Array:
        return self.activation.apply(x)

    def bounded(self, cell: Array) -> Array:
        return self.activation.apply(cell)

    def carried(self, forget: Array, cell: Array, gate: Array, candidate: Array) -> Array:
        return np.asarray(forget * cell + gate * candidate)

    def shown(self, gate: Array, cell: Array) -> Array:
        return np.asarray(gate * cell)

    def reset(self, gate: Array, state: Array) -> Array:
        return np.asarray(gate * state)

    def reset_joined(self, from_input: Array, gate: Array, from_state: Array) -> Array:
        return np.asarray(from_input + gate * from_state)

    def mixed(self, gate: Array, state: Array, candidate: Array) -> Array:
        return np.asarray(gate * state + (np.float32(1) - gate) * candidate)

    def cell_fields(self) -> Fields:
        return {}

    def fields(self) -> Fields:
        chosen = {"gate": _spelled(self.gate), "activation": _spelled(self.activation)}
        return chosen | _slope("gate_slope", self.gate) | _slope("activation_slope", self.activation)


@dataclass(frozen=True)
class IntegerStates:
    """`.._fraction`: bits behind the binary point. `candidate`: what the activation makes of its sum."""

    gate: Chosen
    activation: Chosen
    input_fraction: int
    state_sum_fraction: int
    candidate_fraction: int
    cell_fraction: int
    state_fraction: int
    dtype = np.dtype(np.int64)

    def joined(self, from_input: Array, from_state: Array, *, candidate: bool = False) -> Array:
        to = self._candidate_sum_fraction if candidate else GATE_FRACTION
        both = _rescaled(from_input, self.input_fraction - to) + _rescaled(from_state, self.state_sum_fraction - to)
        return _saturated(both)

    def opened(self, x: Array) -> Array:
        return _looked_up(self.gate, x)

    def activated(self, x: Array) -> Array:
        if isinstance(self.activation, Function):
            return _looked_up(self.activation, x)
        return np.maximum(x, 0) if self.activation.relu else x

    def bounded(self, cell: Array) -> Array:
        if isinstance(self.activation, Function):
            cell = _saturated(_rescaled(cell, self.cell_fraction - GATE_FRACTION))
        return self.activated(cell)

    def carried(self, forget: Array, cell: Array, gate: Array, candidate: Array) -> Array:
        added = _rescaled(gate * candidate, self.candidate_fraction - self.cell_fraction)
        return _saturated(_rescaled(forget * cell + added, STATE_ONE))

    def shown(self, gate: Array, cell: Array) -> Array:
        fraction = STATE_ONE if isinstance(self.activation, Function) else self.cell_fraction
        return _saturated(_rescaled(gate * cell, STATE_ONE + fraction - self.state_fraction))

    def reset(self, gate: Array, state: Array) -> Array:
        return _rescaled(gate * state, STATE_ONE)

    def reset_joined(self, from_input: Array, gate: Array, from_state: Array) -> Array:
        to = self._candidate_sum_fraction
        limit = 1 << 31
        state = np.clip(_rescaled(from_state, self.state_sum_fraction - to), -limit, limit - 1)
        return _saturated(_rescaled(from_input, self.input_fraction - to) + _rescaled(gate * state, STATE_ONE))

    def mixed(self, gate: Array, state: Array, candidate: Array) -> Array:
        return _saturated(_rescaled(gate * state + ((1 << STATE_ONE) - gate) * candidate, STATE_ONE))

    @property
    def _candidate_sum_fraction(self) -> int:
        return GATE_FRACTION if isinstance(self.activation, Function) else self.candidate_fraction

    def fields(self) -> Fields:
        """Of `NN_STATES`; a layer with a cell has `cell_fields` too."""
        to = self._candidate_sum_fraction
        shifts = {
            "gate_input_shift": self.input_fraction - GATE_FRACTION,
            "gate_state_shift": self.state_sum_fraction - GATE_FRACTION,
            "candidate_input_shift": self.input_fraction - to,
            "candidate_state_shift": self.state_sum_fraction - to,
        }
        return {"activation": _spelled(self.activation), **_shifts(shifts)}

    def cell_fields(self) -> Fields:
        bounded = isinstance(self.activation, Function)
        shifts = {
            "carried_shift": self.candidate_fraction - self.cell_fraction,
            "bounded_shift": self.cell_fraction - GATE_FRACTION if bounded else 0,
            "shown_shift": STATE_ONE + (STATE_ONE if bounded else self.cell_fraction) - self.state_fraction,
        }
        return _shifts(shifts)

    @property
    def tables(self) -> dict[str, Array]:
        """By role; the same one is there once."""
        tables = {"gate_table": table(self.gate)} if isinstance(self.gate, Function) else {}
        if isinstance(self.activation, Function) and self.activation != self.gate:
            tables["activation_table"] = table(self.activation)
        return tables


States = FloatStates | IntegerStates


def integer_states(
    gate: Chosen, activation: Chosen, sums: tuple[InnerSum, InnerSum], fractions: dict[str, int]
) -> IntegerStates:
    """`sums`: over inputs and over states. `fractions` of `candidate`, `cell` and `state`, where they are chosen."""
    bounded = {"candidate": STATE_ONE, "state": STATE_ONE} if isinstance(activation, Function) else {}
    chosen = {**fractions, **bounded}
    return IntegerStates(
        gate,
        activation,
        input_fraction=sums[0].fraction,
        state_sum_fraction=sums[1].fraction,
        candidate_fraction=chosen.get("candidate", STATE_ONE),
        cell_fraction=min(chosen.get("cell", STATE_ONE), STATE_ONE),
        state_fraction=chosen.get("state", STATE_ONE),
    )


def table(function: Chosen) -> Array:
    """Of x from 0 to 8, both included, every 2^-5; times 2^15. For all functions here f(-x) = 2 f(0) - f(x)."""
    assert isinstance(function, Function)
    x = np.arange(0, (1 << 15) + 1, 1 << STEP_BITS) / (1 << GATE_FRACTION)
    values = np.floor(np.ldexp(function.exact(x), STATE_ONE) + 0.5)
    return np.asarray(np.clip(values, -(1 << 15), (1 << 15) - 1), np.int64)


def _looked_up(function: Chosen, x: Array) -> Array:
    entries, position = table(function), np.minimum(np.abs(x), (1 << 15) - 1)
    left, rest = position >> STEP_BITS, position & ((1 << STEP_BITS) - 1)
    rise = (entries[left + 1] - entries[left]) * rest
    y = entries[left] + (rise + (1 << STEP_BITS >> 1) >> STEP_BITS)
    return np.asarray(np.where(x < 0, 2 * entries[0] - y, y))


def _rescaled(x: Array, shift: int) -> Array:
    """Shift to the right, to the nearest with halves up; to the left by a negative one."""
    shift = _shift(shift)
    return (x + (1 << shift >> 1)) >> shift if shift >= 0 else x << -shift


def _shifts(shifts: dict[str, int]) -> Fields:
    return {name: _shift(shift) for name, shift in shifts.items() if shift}


def _shift(shift: int) -> int:
    """Beyond these, all is 0 or saturates."""
    return max(-LARGEST_SHIFT_LEFT, min(shift, LARGEST_SHIFT_RIGHT))


def _saturated(x: Array) -> Array:
    return np.clip(x, -(1 << 15), (1 << 15) - 1)


def _spelled(chosen: Chosen) -> str:
    """Of `nn_state_function_t`."""
    if isinstance(chosen, Activation):
        return "NN_STATE_RELU" if chosen.relu else "NN_STATE_LINEAR"
    return f"NN_STATE_{chosen.name.upper()}"


def _slope(name: str, chosen: Chosen) -> Fields:
    if isinstance(chosen, Function) and chosen.name == "hard_sigmoid":
        return {name: np.float32(chosen.parameters[0])}
    return {}
