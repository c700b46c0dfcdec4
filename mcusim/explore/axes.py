"""Experiment -> Space: keys of its file that may have several values, and the tables of the file with one of each.

A point of the space is an experiment file like any other, of one run: what was explored is what `mcusim run` gives.
"""

from collections.abc import Mapping, MutableMapping
from copy import deepcopy
from dataclasses import dataclass
from functools import cached_property
from math import prod
from typing import Any

from mcusim.experiment.experiment import Experiment
from mcusim.system.errors import ConfigurationError
from mcusim.system.validation import short

MODEL, QUANTIZATION, BOARD, LAYER = "model", "quantization", "board", "layer"
Genes = tuple[int, ...]  # of each axis, which value
Tables = dict[str, Any]


@dataclass(frozen=True)
class Axis:
    """`path` leads to a key of the file. The first of `values` is the base, that others are compared with."""

    path: tuple[str, ...]
    values: tuple[Any, ...]

    @property
    def name(self) -> str:
        return ".".join(self.path)


@dataclass(frozen=True)
class Space:
    """`tables`: those of the file. `entries`: what its models and quantizations are called, in their order."""

    axes: tuple[Axis, ...]
    tables: Mapping[str, Any]
    entries: Mapping[str, tuple[str, ...]]

    @property
    def base(self) -> Genes:
        return (0,) * len(self.axes)

    @property
    def size(self) -> int:
        return prod(len(axis.values) for axis in self.axes)

    @cached_property
    def names(self) -> tuple[str, ...]:
        return tuple(axis.name for axis in self.axes)

    def chosen(self, genes: Genes) -> dict[str, Any]:
        """Name of each axis -> its value, for people and reports."""
        return {axis.name: value for axis, value in self._values(genes)}

    def _values(self, genes: Genes) -> list[tuple[Axis, Any]]:
        return [(axis, axis.values[gene]) for axis, gene in zip(self.axes, genes, strict=True)]

    def changes(self, genes: Genes) -> list[tuple[tuple[str, ...], Any]]:
        """Path and value of each key, whole tables first: the keys of others are those of the one that is chosen."""
        return sorted(
            ((axis.path, value) for axis, value in self._values(genes)), key=lambda change: len(change[0]) > 1
        )

    def at(self, genes: Genes) -> Tables:
        """The tables of a point."""
        made = deepcopy(dict(self.tables))
        self.apply(made, genes)
        return made

    def apply(self, tables: Any, genes: Genes) -> None:
        """To tables as they are read, or as they will be written."""
        for path, value in self.changes(genes):
            if path == (BOARD,):
                tables.setdefault("target", {})["boards"] = [value]
            elif len(path) == 1:
                index = self.entries[path[0]].index(value)
                if path[0] in tables:
                    tables[path[0]] = [tables[path[0]][index]]
            else:
                _set(tables, path, value)


def _set(tables: Any, path: tuple[str, ...], value: Any) -> None:
    """Of a list of tables the only entry is meant; but of layers, the one of the name that comes next.

    Raises ConfigurationError where something on the way is no table.
    """
    here, keys = tables, list(path)
    while len(keys) > 1:
        key = keys.pop(0)
        if key == LAYER:
            here = _named(here.setdefault(LAYER, []), keys.pop(0))
        elif key == QUANTIZATION:
            here = here.setdefault(key, [{"data_type": "int8"}])[0]
        elif key == MODEL:
            here = here[key][0]
        else:
            here = here.setdefault(key, {})
        if not isinstance(here, MutableMapping):
            what = f"axis {'.'.join(path)!r}: {key!r} is {short(here)}, which has no keys"
            raise ConfigurationError(what, where="explore.axes", hint=f"end the axis at {key!r}, or make it a table")
    here[keys[0]] = value


def _named(entries: Any, name: str) -> Any:
    """The table of that layer, a new one where there is none."""
    found = next((entry for entry in entries if entry.get("name") == name), None)
    if found is None:
        entries.append({"name": name})
        found = entries[-1]
    return found


def space_of(experiment: Experiment, tables: Mapping[str, Any]) -> Space:
    """The axes of [explore], and one more for each of models, quantizations and boards where there are several.

    Raises ConfigurationError for an axis that leads nowhere, and where there is none.
    """
    if any(model.OF_OTHERS for model in experiment.models):
        hint = "leave [cascade] out: its max_drop chooses a threshold, and what its networks are can be explored alone"
        raise ConfigurationError("a cascade cannot be explored", where=f"{experiment.path}, cascade", hint=hint)
    if isinstance(tables.get("approximation"), list):
        hint = 'make it one table, [approximation], and axes of its keys: "approximation.channels" = [0, 0.25]'
        raise ConfigurationError(
            "several [[approximation]] are for mcusim run", where=f"{experiment.path}, approximation", hint=hint
        )
    own = [Axis(path, values) for path, values in experiment.explore.axes]
    boards = tuple(board for board in experiment.boards if board is not None)
    entries = {
        MODEL: tuple(model.name for model in experiment.models),
        QUANTIZATION: tuple(entry.label for entry in experiment.quantizations),
    }
    for axis in own:
        _check(axis, entries, experiment)
    taken = {axis.path for axis in own}
    there = {**entries, BOARD: boards}
    several = [Axis((word,), each) for word, each in there.items() if len(each) > 1 and (word,) not in taken]
    if not several and not own:
        hint = '[explore.axes] with for example "quantization.data_type" = ["int8", "int16"]'
        raise ConfigurationError("there is nothing to explore: no axis", where=str(experiment.path), hint=hint)
    return Space((*several, *own), _of_one_engine(experiment, tables, boards), entries)


def _of_one_engine(experiment: Experiment, tables: Mapping[str, Any], boards: tuple[str, ...]) -> Tables:
    """As the command line chose; a training is done once."""
    target = {**tables.get("target", {}), "engine": experiment.engines[0]}
    target |= {"boards": list(boards)} if boards else {}
    general = {**tables.get("experiment", {}), "repeats": 1, "seed": experiment.general.seed}
    return {**tables, "experiment": general, "target": target}


def _check(axis: Axis, entries: Mapping[str, tuple[str, ...]], experiment: Experiment) -> None:
    """Raises ConfigurationError for what leads to no key, or to no entry."""
    where = f"{experiment.path}, explore.axes"
    word, *inner = axis.path
    if not inner and word in entries:
        for value in axis.values:
            if value not in entries[word]:
                hint = f"choose among {', '.join(entries[word])}"
                raise ConfigurationError(
                    f"axis {axis.name!r}: there is no {word} {short(value)}", where=where, hint=hint
                )
    if LAYER in axis.path[:-1] and len(axis.path) - axis.path.index(LAYER) != 3:
        hint = f'give a layer and a key: "{word}.{LAYER}.conv1.data_type"'
        raise ConfigurationError(f"axis {axis.name!r} names no key of a layer", where=where, hint=hint)
