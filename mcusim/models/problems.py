"""What cannot be read of a model, or written: all of it, in one error."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from mcusim.system.errors import ModelError

MOST_SHOWN = 12
SUPPORTED = "`mcusim layers` lists what a model may be made of: put others together from these, or run them outside"
EMBEDDING = "an embedding cannot be read: look its rows up outside, and let the model take these as its input"
ATTENTION = "attention cannot be read: what mixes the steps of a series here are Conv1D, GRU, LSTM and SimpleRNN"
T = TypeVar("T")


def open_hint(shape: Sequence[int | None], instead: str) -> str:
    """For an input whose axes are not all told."""
    example = [axis or 128 for axis in shape]
    return f"tell its axes: input_shape = {example} in [[model]] (mcusim init MODEL DATA.npz does it), or {instead}"


# What converters raise for settings that they do not expect.
ODD = (KeyError, IndexError, TypeError, ValueError, AttributeError, ZeroDivisionError, OverflowError, AssertionError)


class Problems:
    """`caught` runs what may raise; `demand_none` raises all that was.

    `hints`: for kinds without a kernel that are to be helped in another way than by SUPPORTED, and before it.
    """

    def __init__(self, hints: Callable[[str], str | None] = lambda kind: None) -> None:
        self._hints = hints
        self._unknown: dict[object, tuple[str, str]] = {}  # place in the description: name, kind
        self._others: list[ModelError] = []

    def caught(self, name: str, kind: str, run: Callable[[], T]) -> T | None:
        try:
            return run()
        except ModelError as error:
            self._others.append(error)
            return None

    def no_kernel(self, name: str, kind: str, place: object) -> None:
        self._unknown.setdefault(place, (name, kind))

    def demand_none(self, done: str = "read") -> None:
        """Raises ModelError. `done`: what cannot be done with the layers."""
        errors = [*self._without_kernel(), *self._others]
        if len({error.what for error in errors}) == 1:
            raise errors[0]
        if errors:
            told = list({error.what: None for error in errors})
            more = [f"and {len(told) - MOST_SHOWN} more"] if len(told) > MOST_SHOWN else []
            count = len(self._unknown) + len({error.what for error in self._others})
            what = f"{count} layers cannot be {done}: {'; '.join([*told[:MOST_SHOWN], *more])}"
            raise ModelError(what, hint=next((error.hint for error in errors if error.hint != SUPPORTED), SUPPORTED))

    def _without_kernel(self) -> list[ModelError]:
        """One error for each kind, with all layers of it."""
        kinds: dict[str, list[str]] = {}
        for name, kind in self._unknown.values():
            kinds.setdefault(kind, []).append(name)
        return [_no_kernel(names, kind, self._hints(kind) or SUPPORTED) for kind, names in kinds.items()]


def _no_kernel(names: list[str], kind: str, hint: str) -> ModelError:
    # No name that is like it: a framework wrote this one, so it is no slip, and what is alike is not what it means.
    if len(names) == 1:
        return ModelError(f"layer {names[0]!r} ({kind}) has no kernel", hint=hint)
    more = [f"and {len(names) - MOST_SHOWN} more"] if len(names) > MOST_SHOWN else []
    listed = ", ".join([*map(repr, names[:MOST_SHOWN]), *more])
    return ModelError(f"layers {listed} ({kind}, {len(names)} times) have no kernel", hint=hint)
