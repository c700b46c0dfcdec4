"""Work that several runs share is done once, and its failure is remembered as well as its result."""

from collections.abc import Callable, Collection, Hashable
from typing import Any, TypeVar

from mcusim.system.errors import McusimError

Value = TypeVar("Value")


class Once:
    """A model that cannot be trained is not tried again for every board."""

    def __init__(self) -> None:
        self._done: dict[Hashable, Any] = {}  # values, and errors

    def do(self, key: Hashable, make: Callable[[], Value]) -> Value:
        """`make()` the first time it is asked for `key`, the same value (or McusimError) ever after."""
        if key not in self._done:
            try:
                self._done[key] = make()
            except McusimError as error:
                self._done[key] = error
        value: Value = self._done[key]
        if isinstance(value, McusimError):
            raise value
        return value


class Shared(Once):
    """Of a part of the work; what all parts have in common, by the first word of its key, is asked of `common`."""

    def __init__(self, common: Once, words: Collection[str]) -> None:
        super().__init__()
        self._common, self._words = common, words

    def do(self, key: Hashable, make: Callable[[], Value]) -> Value:
        word = key[0] if isinstance(key, tuple) else key
        return self._common.do(key, make) if word in self._words else super().do(key, make)
