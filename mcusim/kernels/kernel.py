"""What a kernel is: C or assembly that runs a layer, how its weights lie, what it needs and what it costs."""

from __future__ import annotations

from typing import Protocol

from mcusim.graph import Layer
from mcusim.program import LayerCode

Inputs = tuple[Layer, ...]  # what a layer reads


class Kernel(Protocol):
    """A module with these names. The cheapest that fits a layer runs, unless the experiment says otherwise.

    One with `ANY_STORAGE = True` takes inputs without a sign, and stores as any nn_storage_t; others get none of these.
    What its code includes of codegen/ goes into the library by itself.
    """

    NAME: str
    SUMMARY: str

    def fits(self, layer: Layer, inputs: Inputs, core: str | None) -> str | None:
        """None when it can run the layer, else the reason why not. `core`: of a chip; None for any, the host's too."""

    def cost(self, layer: Layer, inputs: Inputs) -> float:
        """Cycles for one sample, about, on a Cortex-M4F without wait states. Only asked where it fits."""

    def code(self, layer: Layer, inputs: Inputs) -> LayerCode:
        """Only asked where it fits."""
