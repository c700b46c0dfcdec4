"""GRU: a state that one gate updates and another lets out."""

from dataclasses import dataclass
from typing import ClassVar

from mcusim.layers.recurrent import Recurrent
from mcusim.numbers.recurrent import States
from mcusim.system.arrays import Array


@dataclass(frozen=True, kw_only=True, eq=False)
class GRU(Recurrent):
    """Gates in Keras' order: update, reset, candidate. `reset_after`: the reset gate scales the candidate's sum."""

    GATES: ClassVar[int] = 3

    reset_after: bool = True

    def step(self, arithmetic: States, from_input: Array, values: dict[str, Array]) -> dict[str, Array]:
        state = values["state"]
        from_state = self.from_state(state, slice(0, 2))
        update, reset = (
            arithmetic.opened(arithmetic.joined(from_input[:, gate], from_state[:, gate])) for gate in (0, 1)
        )
        if self.reset_after:
            summed = arithmetic.reset_joined(from_input[:, 2], reset, self.from_state(state, slice(2, 3))[:, 0])
        else:
            kept = self.from_state(arithmetic.reset(reset, state), slice(2, 3))[:, 0]
            summed = arithmetic.joined(from_input[:, 2], kept, candidate=True)
        candidate = arithmetic.activated(summed)
        return {"candidate": candidate, "state": arithmetic.mixed(update, state, candidate)}
