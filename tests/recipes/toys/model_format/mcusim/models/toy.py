"""A file of one dense layer, as JSON -> Source."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from mcusim.graph import Graph
from mcusim.layers.dense import Dense
from mcusim.layers.input import Input
from mcusim.models import toy_reference
from mcusim.models.listing import Listing
from mcusim.models.source import NO_SHAPES, Origin, Shapes, Source
from mcusim.system.errors import ModelError

NAME = "toy"
SUFFIXES = (".toy",)
REFERENCE = toy_reference


def listings() -> tuple[Listing, ...]:
    return (Listing("layer", ("float32",), {"dense": ("yes",)}),)


def read(path: Path, name: str, shapes: Shapes = NO_SHAPES) -> Source:
    try:
        told = json.loads(path.read_bytes())
        kernel, bias = (np.asarray(told[role], np.float32) for role in ("kernel", "bias"))
        units, elements = kernel.shape
        bias = bias.reshape(units)
    except (ValueError, KeyError, TypeError) as error:
        raise ModelError("layer 'dense' is no dense layer", where=str(path), hint="save it again") from error
    start = Input(name="input", inputs=(), shape=(elements,))
    dense = Dense(name="dense", inputs=("input",), shape=(units,), kernel=kernel, bias=bias)
    return Source(Graph((start, dense), name), origins={"dense": Origin(("dense",), (0,))})
