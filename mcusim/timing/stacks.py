"""Profile -> Stacks: its cycles by the way of calls, from the measured function down to lines of the source.

A run keeps them in its folder, as they were priced for it: who shows them needs neither its board nor its recording.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import astuple, dataclass, replace
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

from pydantic import ConfigDict, TypeAdapter, ValidationError

from mcusim.system.errors import DataError
from mcusim.system.files import read_file

if TYPE_CHECKING:
    from mcusim.timing.profile import Profile
    from mcusim.timing.recording import Recording

STACKS = "stacks.json"  # its name in the folder of a run
LARGEST_FILE_BYTES = 2**26
FORMAT: Literal[1] = 1
_DEEPEST, _MOST_STACKS = 32, 100_000  # where stacks are made up of who calls whom, as gprof does
Line = tuple[str, int]


@dataclass(frozen=True)
class Stack:
    """`functions` from the measured one down, the innermost's own `cycles` in the mean sample; of one `line`, or of all
    that belong to none.
    """

    functions: tuple[str, ...]
    cycles: float
    line: Line | None = None


def stacks(profile: Profile) -> Iterator[Stack]:
    """In the order of the calls, those of interrupts and other tasks behind them."""
    if profile.costs.calls:
        yield from (Stack(call.stack, call.own) for call in (*profile.costs.calls, *profile.costs.outside))
        return
    callees = {callee for _, callee in profile.calls}
    roots = [name for name in profile.by_function if name not in callees] or list(profile.by_function)[:1]
    yield from islice((found for root in roots for found in _below(profile, (root,), 1.0)), _MOST_STACKS)


def _below(profile: Profile, path: tuple[str, ...], share: float) -> Iterator[Stack]:
    name = path[-1]
    yield Stack(path, profile.by_function.get(name, 0.0) * share)
    if len(path) == _DEEPEST:
        return
    for (caller, callee), times in profile.calls.items():
        if caller == name and callee not in path:
            called = sum(n for (_, other), n in profile.calls.items() if other == callee)
            yield from _below(profile, (*path, callee), share * times / called)


def by_line(profile: Profile, recording: Recording) -> Iterator[Stack]:
    """The same cycles, those of each function shared out among its lines: alike, wherever it was called."""
    shares = _line_shares(profile, recording)
    for stack in stacks(profile):
        of_lines = shares.get(stack.functions[-1], {})
        yield from (replace(stack, cycles=stack.cycles * share, line=line) for line, share in of_lines.items())
        yield replace(stack, cycles=stack.cycles * (1 - sum(of_lines.values())))


def _line_shares(profile: Profile, recording: Recording) -> Mapping[str, Mapping[Line, float]]:
    """Of each function by name: what part of its own cycles its lines take, in the order of the source."""
    whole: dict[str, float] = defaultdict(float)
    lines: dict[str, dict[Line, float]] = defaultdict(lambda: defaultdict(float))
    for address, cycles in profile.by_address.items():
        name, line = recording.function_at(address), recording.line_at(address)
        if cycles > 0:  # what a skipped instruction saves is no frame of its own
            whole[name] += cycles
            if line is not None:
                lines[name][line] += cycles
    return {
        name: {line: cycles / whole[name] for line, cycles in sorted(found.items())} for name, found in lines.items()
    }


@dataclass(frozen=True)
class _Kept:
    __pydantic_config__: ClassVar[ConfigDict] = ConfigDict(extra="ignore", strict=True, allow_inf_nan=False)

    format: Literal[1]
    stacks: tuple[tuple[tuple[str, ...], float, Line | None], ...]


def save(found: Iterable[Stack], path: Path) -> None:
    rows = [astuple(replace(one, cycles=round(one.cycles, 3))) for one in found]
    document = {"format": FORMAT, "stacks": [row for row in rows if row[1]]}
    path.write_text(json.dumps(document, separators=(",", ":")), encoding="utf-8")


def load(path: Path) -> tuple[Stack, ...]:
    """Raises DataError when it is none of this version, ConfigurationError when it cannot be read."""
    hint = "mcusim run writes it"
    try:
        kept = TypeAdapter(_Kept).validate_json(read_file(path, LARGEST_FILE_BYTES, hint=hint))
    except ValidationError as error:
        reason = error.errors(include_url=False)[0]["msg"]
        raise DataError(f"{path.name!r} has no stacks: {reason[:100]}", where=str(path), hint=hint) from None
    return tuple(Stack(*row) for row in kept.stacks)
