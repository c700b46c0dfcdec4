"""Two runs -> Unlike: what else was not the same, and which figures mean less for it."""

from collections.abc import Iterator, Mapping

from mcusim.comparison.comparison import Unlike
from mcusim.comparison.pairs import Pair
from mcusim.reports.figures import ROWS
from mcusim.tasks.figure import Row

_ROW: Mapping[str, Row] = {row.key: row for row in ROWS}
_SHOWN = 12  # of a digest
NOT_KNOWN = "not known"

# Keys of a run, what to call them, and what it means when they differ.
_SAMPLES = "accuracy and other scores are not of the same samples; instructions, cycles and stack may differ for them"
CIRCUMSTANCES: Mapping[str, tuple[str, str]] = {
    "model_sha256": ("model file", "every figure is one of another model"),
    "data_sha256": ("test data", _SAMPLES),
    "samples": ("number of samples", _SAMPLES),
    "task": ("task", "accuracy and other scores mean something else"),
    "normalization": ("normalization", "the model is fed other numbers: accuracy and other scores may differ for it"),
    "clock_hz": ("clock", "latency and energy are those of another clock: cycles can be compared"),
    "compiler": ("compiler", "cycles, ROM and stack may differ for it; accuracy does not"),
    "flags": ("flags of the compiler", "cycles, ROM and stack may differ for it; accuracy does not"),
    "engine_version": ("version of the engine", "no figure should differ for it"),
    "cycles.how": ("way to know cycles", "cycles, latency and energy can hardly be compared"),
}
_UNKNOWN_MEANS = "the report of BASE or HEAD is of an mcusim that did not tell: figures may differ for it"
_OF_MCUSIM = "its code for the model, or its timing model, may be others: cycles, latency, energy, ROM and RAM"


def unlike(pair: Pair) -> tuple[Unlike, ...]:
    """In the order of CIRCUMSTANCES; nothing of runs that failed, which have no figures."""
    assert pair.one is not None and pair.other is not None
    if pair.one.run.error or pair.other.run.error:
        return ()
    return tuple(_found(pair))


def _found(pair: Pair) -> Iterator[Unlike]:
    assert pair.one is not None and pair.other is not None
    for key, (what, means) in CIRCUMSTANCES.items():
        one, other = (_ROW[key].value(place.run) for place in (pair.one, pair.other))
        is_digest = key.endswith("_sha256")
        if one == other or (not is_digest and None in (one, other)):
            continue
        told = _UNKNOWN_MEANS if None in (one, other) else means
        yield Unlike(what, _shown(one, is_digest), _shown(other, is_digest), told)
    before, now = pair.one.report.mcusim, pair.other.report.mcusim
    if before != now:
        yield Unlike("version of mcusim", before, now, _OF_MCUSIM)
    for which, place in (("BASE", pair.one), ("HEAD", pair.other)):
        if not place.run.complete:
            what = f"run of {which}, which was interrupted"
            yield Unlike(what, f"{pair.one.run.samples:,}", f"{pair.other.run.samples:,}", _SAMPLES)


def _shown(value: object, is_digest: bool) -> str:
    if value is None:
        return NOT_KNOWN
    if isinstance(value, tuple):
        return " ".join(map(str, value))
    return str(value)[:_SHOWN] if is_digest else f"{value:,}" if isinstance(value, int) else str(value)
