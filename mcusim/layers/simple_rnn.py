"""SimpleRNN: the state is a function of the input and of the state before."""

from dataclasses import dataclass
from typing import ClassVar

from mcusim.layers.recurrent import Recurrent
from mcusim.numbers.recurrent import States
from mcusim.system.arrays import Array


@dataclass(frozen=True, kw_only=True, eq=False)
class SimpleRNN(Recurrent):
    """No gates: its only rows are those of the state."""

    GATES: ClassVar[int] = 1

    def step(self, arithmetic: States, from_input: Array, values: dict[str, Array]) -> dict[str, Array]:
        from_state = self.from_state(values["state"])
        summed = arithmetic.joined(from_input[:, 0], from_state[:, 0], candidate=True)
        state = arithmetic.activated(summed)
        return {"candidate": state, "state": state}
