"""Cases + shard -> the samples of each that are its own, and what its report says for `merge.py` to put it together.

All samples of all cases stand in one line, which is cut into as many pieces as there are shards: a shard has whole
cases, and at its two ends a part of one at most.
"""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mcusim.experiment.case import Case
from mcusim.experiment.experiment import Experiment
from mcusim.line.part import Outcome, Span
from mcusim.line.part_file import packed
from mcusim.reports.report import RunPart, Shard
from mcusim.system.files import sha256_of, write_bytes
from mcusim.system.packed import digest_of
from mcusim.system.validation import Unusable

PART = "shard.part"  # in the folder of a run: what it saw
MOST_SHARDS = 1000


@dataclass(frozen=True)
class Which:
    """The `number`-th of `of` shards, from 1."""

    number: int
    of: int

    def __str__(self) -> str:
        return f"{self.number}/{self.of}"


def read_shard(text: str) -> Which:
    """`2/5`. Raises Unusable."""
    number, slash, of = text.partition("/")
    if not (slash and all(part.isascii() and part.isdecimal() and len(part) < 9 for part in (number, of))):
        raise Unusable(f"shard is {text[:20]!r}", "give which one of how many: 2/5")
    if not 1 <= int(of) <= MOST_SHARDS:
        raise Unusable(f"shard is {text!r}: there are {int(of):,} shards", f"give 1 to {MOST_SHARDS:,}, as in 2/5")
    if not 1 <= int(number) <= int(of):
        raise Unusable(f"shard is {text!r}", f"shards of {int(of)} are 1/{int(of)} to {int(of)}/{int(of)}")
    return Which(int(number), int(of))


def spans(cases: int, samples: int, which: Which) -> list[tuple[int, Span]]:
    """(number of a case, what of it) of a shard, when each case has so many samples."""
    first, end = (cases * samples * number // which.of for number in (which.number - 1, which.number))
    found = []
    for case in range(cases):
        low, high = (min(max(at - case * samples, 0), samples) for at in (first, end))
        if low < high:
            found.append((case, Span(low, high, samples)))
    return found


def tasks(cases: Sequence[Case], samples: int, which: Which) -> list[tuple[Case, Span]]:
    """Likewise."""
    return [(cases[number], span) for number, span in spans(len(cases), samples, which)]


def begun(which: Which, experiment: Experiment, cases: Sequence[Case]) -> Shard:
    """What the report of a shard says of it, before its first run."""
    return Shard(which.number, which.of, len(cases), _digest(experiment, cases))


def _digest(experiment: Experiment, cases: Sequence[Case]) -> str:
    """Of what is to be run, alike on every machine. Models and data have digests of their own."""
    target = experiment.target
    chosen = [[case.id for case in cases], target.samples, target.timing_samples, experiment.general.seed]
    file = sha256_of(experiment.path) if experiment.path.is_file() else ""
    return hashlib.sha256(json.dumps([file, chosen]).encode()).hexdigest()


def kept(outcome: Outcome, span: Span, out: Path) -> Outcome:
    """What a part saw is written for `merge`, unless it failed or was interrupted; its run tells where it is from."""
    digest = None
    if outcome.part and outcome.run.complete:
        data = packed(outcome.part)
        write_bytes(out / outcome.run.id / PART, data)
        digest = digest_of(data)
    part, error = RunPart(span.first, span.end, span.of, digest), outcome.run.error
    if error and error.where and span.first:
        error = replace(error, where=f"{error.where}; samples count from {span.first:,} of {span.of:,}")
    return replace(outcome, run=replace(outcome.run, part=part, error=error))
