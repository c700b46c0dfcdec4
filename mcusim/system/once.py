"""Work that several runs share is done once, and its failure is remembered as well as its result."""

import threading
from collections.abc import Callable, Hashable
from typing import Any, TypeVar

from mcusim.system.errors import McusimError

Value = TypeVar("Value")


class Once:
    """A model that cannot be trained is not tried again for every board.

    Threads may share it: who asks for what another one makes waits for it.
    """

    def __init__(self) -> None:
        self._done: dict[Hashable, Any] = {}  # values, and errors
        self._making: dict[Hashable, threading.Lock] = {}
        self._lock = threading.Lock()

    def do(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """`make()` the first time it is asked for `key`, the same value (or McusimError) ever after."""
        with self._lock:
            making = self._making.setdefault(key, threading.Lock())
        with making:
            if key not in self._done:
                try:
                    self._done[key] = make()
                except McusimError as error:
                    self._done[key] = error
        value: Value = self._done[key]
        if isinstance(value, McusimError):
            raise value
        return value
