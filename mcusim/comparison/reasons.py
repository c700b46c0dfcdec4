"""RunComparison -> sentences: which layers, or parts of memory, a change is made of."""

from collections.abc import Callable, Iterator, Mapping, Sequence

from mcusim.comparison.comparison import Change, LayerChange, RunComparison
from mcusim.comparison.differences import tells
from mcusim.comparison.wording import change_of, signed
from mcusim.line.measure import LayerFigures

MOST_PARTS = 3
_OUTSIDE = 0.01  # cycles of each layer, which are rounded
Part = tuple[str, float]  # what it is, and by how much it changed


def reasons(run: RunComparison) -> tuple[str, ...]:
    """Of the figures that changed, those that are sums: cycles, ROM, RAM."""
    return tuple(_reasons(run))


_PARTS: Mapping[str, Callable[[RunComparison], Sequence[Part]]] = {
    "cycles.mean": lambda run: _of_layers(run, "cycles", went),
    "rom_bytes.total": lambda run: _bytes_of_layers(run) or _of_figures(run, "rom_bytes.code", "rom_bytes.weights"),
    "ram_bytes.total": lambda run: _of_figures(run, "ram_bytes.arena", "ram_bytes.static", "ram_bytes.stack"),
}


def _reasons(run: RunComparison) -> Iterator[str]:
    for key, parts in _PARTS.items():
        change = run.change(key)
        if change and change.difference:
            yield from _because(change, parts(run))
    cycles, rom = run.change("cycles.mean"), run.change("rom_bytes.total")
    if cycles and cycles.difference and _is_same(run, "elf_sha256"):
        yield "the firmware is the same, byte for byte: samples, board or the timing model of mcusim are others"
    elif any(change and change.difference for change in (cycles, rom)) and _is_same(run, "kernels_sha256"):
        yield "the generated code is the same: weights, compiler, flags or harness are others"


def _is_same(run: RunComparison, key: str) -> bool:
    one, other = getattr(run.base, key), getattr(run.head, key)
    return one is not None and one == other


def _because(change: Change, parts: Sequence[Part]) -> Iterator[str]:
    assert change.difference is not None
    found = sorted((part for part in parts if part[1]), key=lambda part: -abs(part[1]))
    told = [f"{what} ({signed(by)})" for what, by in found[:MOST_PARTS]]
    if more := found[MOST_PARTS:]:
        told += [f"{len(more)} more ({signed(sum(by for _, by in more))})"]
    rest = change.difference - sum(by for _, by in found)
    told += [f"outside of the layers ({signed(rest)})"] if parts and abs(rest) > _OUTSIDE * len(parts) else []
    if told:
        yield f"{change.figure.name} {change_of(change)}: {', '.join(told)}"


def _of_layers(run: RunComparison, key: str, named: Callable[[LayerChange], str]) -> Sequence[Part]:
    """Nothing where one of the runs does not know it."""
    assert run.base is not None and run.head is not None
    if not (tells(run.base, key) and tells(run.head, key)):
        return []
    found = [(named(layer), _value(layer.head, key) - _value(layer.base, key)) for layer in run.layers]
    return found or [("", 0)]


def _value(layer: LayerFigures | None, key: str) -> float:
    value: float | None = getattr(layer, key) if layer else 0
    return value or 0


def _bytes_of_layers(run: RunComparison) -> Sequence[Part]:
    code = _of_layers(run, "code_bytes", lambda layer: f"code of {layer.name}")
    return [*code, *_of_layers(run, "weight_bytes", lambda layer: f"weights of {layer.name}")]


def _of_figures(run: RunComparison, *keys: str) -> Sequence[Part]:
    found = ((key.rpartition(".")[2], run.change(key)) for key in keys)
    return [(name, change.difference or 0) for name, change in found if change]


def went(layer: LayerChange) -> str:
    """`conv2 went from 'direct' to 'plain'`, or its name alone: what of a layer explains its change."""
    if layer.base is None or layer.head is None:
        return f"{layer.name} is {'new' if layer.base is None else 'gone'}"
    if (one := _kernel(layer.base)) != (other := _kernel(layer.head)):
        return f"{layer.name} went from {one} to {other}"
    before, after = _how(layer.base), _how(layer.head)
    changed = [f"{key} {before[key]} -> {after[key]}" for key in before if before[key] and before[key] != after[key]]
    return f"{layer.name} ({'; '.join(changed)})" if changed else layer.name


def _kernel(layer: LayerFigures) -> str:
    return f"{layer.kernel!r} ({layer.variant})" if layer.variant else f"{layer.kernel!r}"


def _how(layer: LayerFigures) -> dict[str, str | None]:
    told = {"data type": layer.data_type, "numbers": layer.numbers, "weights": layer.weight_numbers}
    return {**told, "MACs": f"{layer.macs:,}"}
