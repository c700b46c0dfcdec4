"""Results of pure functions, as many of the last ones as a number of bytes has room for."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

Value = TypeVar("Value")


class Remembered:
    """Of the process that it is in: what was not asked for longest goes first."""

    def __init__(self, most_bytes: int) -> None:
        self._most, self._bytes = most_bytes, 0
        self._known: OrderedDict[Hashable, tuple[Any, int]] = OrderedDict()

    def do(self, key: Hashable, make: Callable[[], Value], bytes_of: Callable[[Value], int]) -> Value:
        """`make()`, or what it gave before for this `key`, which tells all that it depends on. Errors are not kept."""
        if key in self._known:
            self._known.move_to_end(key)
            known: Value = self._known[key][0]
            return known
        value = make()
        self._known[key] = value, bytes_of(value)
        self._bytes += bytes_of(value)
        while self._bytes > self._most:
            _, (_, gone) = self._known.popitem(last=False)
            self._bytes -= gone
        return value
