"""A live Keras model -> Graph, by way of a file, as users go."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from mcusim.graph import Graph
from mcusim.models import read_model
from mcusim.models.source import Source


def source_of(model: Any, name: str = "model", suffix: str = ".keras") -> Source:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"model{suffix}"
        model.save(path)
        return read_model(path, name)


def graph_of(model: Any, name: str = "model", suffix: str = ".keras") -> Graph:
    return source_of(model, name, suffix).graph
