"""Costs of edges -> Executions: all their instructions in one line, so that NumPy adds them up.

Sums are taken in that order, and what is found stands in the order in which it first comes: always the same bits.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
import numpy.typing as npt

from mcusim.engines.counts import Counts
from mcusim.timing.code import Code

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Executions:
    """(instructions of all edges,): `addresses`, `costs` of each behind its edge, which of the `edges` that is."""

    addresses: Integers
    costs: Floats
    edges: Integers

    def of(self, chosen: npt.NDArray[np.bool_]) -> "Executions":
        """Those of the `chosen` (edges,)."""
        own = chosen[self.edges]
        return Executions(self.addresses[own], self.costs[own], self.edges[own])


def executions(code: Code, counts: Counts, costs: Sequence[Sequence[int]]) -> Executions:
    """`costs`: of each edge those of the instructions of the block it leads to."""
    of_block = [
        np.array([insn.address for insn in code.instructions(block)], np.int64) if block.instructions else _NONE
        for block in counts.blocks
    ]
    sizes = [len(of_edge) for of_edge in costs]
    addresses = [of_block[edge.to] for edge in counts.edges]
    assert sizes == [len(of_edge) for of_edge in addresses]
    return Executions(
        np.concatenate([_NONE, *addresses]),
        np.fromiter(chain.from_iterable(costs), np.float64, sum(sizes)),
        np.repeat(np.arange(len(sizes)), sizes),
    )


_NONE = np.zeros(0, np.int64)


def summed(addresses: Integers, values: Floats) -> dict[int, float]:
    """The sum of the values of each address."""
    distinct, first, places = np.unique(addresses, return_index=True, return_inverse=True)
    order = np.argsort(first)
    sums = np.bincount(places.ravel(), values, len(distinct))
    return dict(zip(distinct[order].tolist(), sums[order].tolist(), strict=True))


def with_moved(items: Executions, values: Floats, moves: Sequence[tuple[int, int, float]]) -> tuple[Integers, Floats]:
    """Addresses and values, and behind those of the edge of each of `moves` (edge, address, value) its own."""
    edges, addresses, more = (np.array([move[n] for move in moves]) for n in range(3))
    order = np.argsort(np.concatenate([items.edges, edges.astype(np.int64)]), kind="stable")
    return (
        np.concatenate([items.addresses, addresses.astype(np.int64)])[order],
        np.concatenate([values, more.astype(np.float64)])[order],
    )
