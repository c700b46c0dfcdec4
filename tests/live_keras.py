"""Keras, imported when a test uses it first; and a live model of it -> Graph, by way of a file, as users go."""

from __future__ import annotations

import tempfile
from functools import partial
from importlib import import_module
from pathlib import Path
from typing import Any

from mcusim.graph import Graph
from mcusim.models import read_model
from mcusim.models.source import Source


class Live:
    """A module whose names are looked up where they are used: each process of a session collects all tests, and takes
    4 s of a processor to import Keras. Where it is missing, tests with `train` are skipped, and none comes here.
    """

    def __init__(self, module: str, *, calls: bool = False) -> None:
        """`calls`: all names are called, and looked up only then: lists of layers stand at the top of files."""
        self._module, self._calls = module, calls

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_") or "pytest" in name:  # what pytest asks of all that it finds in a file
            raise AttributeError(name)
        return partial(self._made, name) if self._calls else getattr(import_module(self._module), name)

    def _made(self, name: str, /, *words: Any, **settings: Any) -> Any:
        return getattr(import_module(self._module), name)(*words, **settings)


keras: Any = Live("keras")
L: Any = Live("keras.layers", calls=True)
ops: Any = Live("keras.ops", calls=True)


def source_of(model: Any, name: str = "model", suffix: str = ".keras") -> Source:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"model{suffix}"
        model.save(path)
        return read_model(path, name)


def graph_of(model: Any, name: str = "model", suffix: str = ".keras") -> Graph:
    return source_of(model, name, suffix).graph
