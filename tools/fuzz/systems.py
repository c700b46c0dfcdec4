"""Graph of reals -> the same in each number system, and in several at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from mcusim.graph import Graph
from mcusim.line.quantize import quantize
from mcusim.line.store_unsigned import store_unsigned
from mcusim.numbers.factors import Rescale, rescaling
from mcusim.numbers.numbers import Rounding
from mcusim.system.arrays import Array


@dataclass(frozen=True)
class System:
    data_type: str
    scheme: str = "per-layer"
    fraction: int | None = None
    rounding: Rounding = "nearest"
    mixed: bool = False  # some layers have others of MIXED
    rescale: Rescale = "double"

    def __str__(self) -> str:
        if self.data_type == "float32":
            return self.data_type
        fraction = "" if self.fraction is None else f" ({self.fraction})"
        rounding = {"floor": ", floor"}.get(self.rounding, "") + {"single": ", single"}.get(self.rescale, "")
        return f"{self.data_type} {self.scheme}{fraction}{rounding}{', mixed' * self.mixed}"


WIDTHS = range(8, 17)
SYSTEMS = (
    System("float32"),
    *(System(f"int{bits}") for bits in WIDTHS),
    *(System(f"int{bits}", rounding="floor") for bits in (8, 9, 16)),
    *(System("int16", "per-network", fraction) for fraction in (9, 15)),
    System("int12", "per-network", 0),
    System("w8a16"),
    *(System("int8", scheme) for scheme in ("per-channel", "per-tensor")),
    System("w8a16", "per-channel"),
    *(System(data_type, "per-layer", mixed=True) for data_type in ("int8", "int16")),
    System("int8", "per-channel", mixed=True),
    *(System("int8", scheme, rescale="single") for scheme in ("per-channel", "per-tensor")),
    System("w8a16", "per-channel", rescale="single"),
    System("int8", "per-channel", mixed=True, rescale="single"),
)
MIXED = (
    *((name, "per-layer") for name in ("int8", "int16", "int9", "int12", "w8a16")),
    *(("int8", "per-channel"), ("int8", "per-tensor"), ("w8a16", "per-channel")),
)


def quantized(graph: Graph, x: Array, system: System, random: np.random.Generator) -> Graph:
    """`x`: samples for calibration."""
    layers: dict[str, tuple[str, str]] = {}
    if system.mixed:
        chosen = [layer.name for layer in graph if random.random() < 0.5]
        layers = {name: MIXED[int(random.integers(len(MIXED)))] for name in chosen}
    told = {"scheme": system.scheme, "fraction": system.fraction, "rounding": system.rounding}
    with rescaling(system.rescale):
        made = quantize(graph, x, system.data_type, layers=layers, **told)  # type: ignore[arg-type]
        return store_unsigned(made) if made.is_quantized and random.random() < 0.5 else made
