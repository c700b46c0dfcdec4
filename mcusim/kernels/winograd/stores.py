"""Stores of the transforms of exact Winograd, to points that lie far apart, and what their routines share."""

from mcusim.kernels.assembly import LONGEST_OFFSET, Assembly, at, imm


def step(a: Assembly, register: str, value: int) -> None:
    """register += value, in steps that an instruction holds: 12 bits, or a power of two."""
    while value:
        size = abs(value)
        some = size if size & (size - 1) == 0 else min(size, LONGEST_OFFSET)
        wide = "w" if some <= LONGEST_OFFSET else ""
        a(("add" if value > 0 else "sub") + wide, register, register, imm(some))
        value -= some if value > 0 else -some


class Stores:
    """To `points` that lie `apart` bytes from each other. `base` moves where a store does not reach that far."""

    def __init__(self, a: Assembly, base: str, points: int, apart: int) -> None:
        self._a, self._base, self._apart = a, base, apart
        within = (LONGEST_OFFSET - 12) // apart + 1
        self.near = points if within >= points else points // 2 if within >= points // 2 else min(within, 2)
        self._first = 0

    def __call__(self, name: str, point: int, offset: int) -> None:
        first = point // self.near * self.near
        step(self._a, self._base, (first - self._first) * self._apart)
        self._first = first
        self._a("str", name, at(self._base, (point - first) * self._apart + offset))

    def end(self, advance: int) -> None:
        """Back to the first point, and on to the next words."""
        step(self._a, self._base, advance - self._first * self._apart)
        self._first = 0
