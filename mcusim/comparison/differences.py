"""Two runs -> Changes of their figures, and of their layers."""

from collections import Counter
from collections.abc import Iterator, Mapping

from mcusim.comparison.comparison import Change, LayerChange
from mcusim.line.measure import LayerFigures
from mcusim.reports.figures import FIGURES
from mcusim.reports.report import Run, known


def changes(base: Run | None, head: Run | None) -> tuple[Change, ...]:
    """Of every figure that either run knows, but for those that are others in every run. A failed run knows none."""
    every = (
        Change(key, known(base, figure) if base else None, known(head, figure) if head else None)
        for key, figure in FIGURES.items()
        if not figure.noisy
    )
    return tuple(change for change in every if change.base is not None or change.head is not None)


def layer_changes(base: Run, head: Run) -> tuple[LayerChange, ...]:
    """Of the layers that differ in anything, in the order of HEAD; those that are gone come last."""
    if base.layers == head.layers:
        return ()
    before, after = dict(_named(base)), dict(_named(head))
    # What an older report does not tell of any layer has not changed.
    keys = {key for key in _KEYS if tells(base, key) and tells(head, key)}
    found = [LayerChange(key[0], before.get(key), layer) for key, layer in after.items()]
    found += [LayerChange(key[0], layer, None) for key, layer in before.items() if key not in after]
    return tuple(change for change in found if _is_another(change, keys))


def _named(run: Run) -> Iterator[tuple[tuple[str, int], LayerFigures]]:
    seen: Counter[str] = Counter()
    for layer in run.layers:
        seen[layer.name] += 1
        yield (layer.name, seen[layer.name]), layer


def tells(run: Run, key: str) -> bool:
    """Of any layer."""
    return any(getattr(layer, key) is not None for layer in run.layers)


_KEYS = tuple(LayerFigures.__dataclass_fields__)


def _is_another(change: LayerChange, keys: set[str]) -> bool:
    if change.base is None or change.head is None:
        return True
    one: Mapping[str, object] = vars(change.base)
    other: Mapping[str, object] = vars(change.head)
    return any(one[key] != other[key] for key in keys)
