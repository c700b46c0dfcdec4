"""LSTM: a cell that gates fill, keep and show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from mcusim.layers.recurrent import Recurrent
from mcusim.numbers.recurrent import States
from mcusim.system.arrays import Array


@dataclass(frozen=True, kw_only=True, eq=False)
class LSTM(Recurrent):
    """Gates in Keras' order: input, forget, candidate, output."""

    GATES: ClassVar[int] = 4

    def step(self, arithmetic: States, from_input: Array, values: dict[str, Array]) -> dict[str, Array]:
        from_state = self.from_state(values["state"])
        enter, forget, show = (
            arithmetic.opened(arithmetic.joined(from_input[:, gate], from_state[:, gate])) for gate in (0, 1, 3)
        )
        candidate = arithmetic.activated(arithmetic.joined(from_input[:, 2], from_state[:, 2], candidate=True))
        cell = arithmetic.carried(forget, values["cell"], enter, candidate)
        return {"cell": cell, "candidate": candidate, "state": arithmetic.shown(show, arithmetic.bounded(cell))}
