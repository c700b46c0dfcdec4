"""LSTM: a cell that gates fill, keep and show."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from mcusim.layers.recurrent import Recurrent
from mcusim.numbers.recurrent import States
from mcusim.system.arrays import Array


@dataclass(frozen=True, kw_only=True, eq=False)
class LSTM(Recurrent):
    """Gates in Keras' order: input, forget, candidate, output. `clip`: of the cell's magnitude, 0 for none."""

    GATES: ClassVar[int] = 4

    clip: float = 0.0

    @property
    def stored_clip(self) -> float:
        """In the numbers of the cell."""
        if self.states is None:
            return float(np.float32(self.clip))
        return int(min(round(self.clip * 2.0**self.states.cell_fraction), 32767))

    def step(self, arithmetic: States, from_input: Array, values: dict[str, Array]) -> dict[str, Array]:
        from_state = self.from_state(values["state"])
        enter, forget, show = (
            arithmetic.opened(arithmetic.joined(from_input[:, gate], from_state[:, gate])) for gate in (0, 1, 3)
        )
        candidate = arithmetic.activated(arithmetic.joined(from_input[:, 2], from_state[:, 2], candidate=True))
        cell = arithmetic.carried(forget, values["cell"], enter, candidate)
        if self.clip:
            cell = np.clip(cell, -self.stored_clip, self.stored_clip)
        return {"cell": cell, "candidate": candidate, "state": arithmetic.shown(show, arithmetic.bounded(cell))}
