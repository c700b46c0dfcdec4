"""What a kernel is: C or assembly that runs a layer, how its weights lie, what it needs and what it costs."""

from typing import Any, NamedTuple, Protocol, TypeVar

from mcusim.graph import Layer
from mcusim.kernels.memory import NO_WAITS, Memory
from mcusim.program import LayerCode

T = TypeVar("T")
Inputs = tuple[Layer, ...]  # what a layer reads


class Variant(NamedTuple):
    """How a kernel trades cycles for memory. `stripes`: parts in which a layer runs, one after the other in the same
    scratch memory. `compact`: with less code, as a rule with shifts and sizes in registers, so that layers share it.
    """

    stripes: int = 1
    compact: bool = False

    def __str__(self) -> str:
        parts = [f"{self.stripes} stripes"] if self.stripes > 1 else []
        return ", ".join([*parts, *(["compact"] if self.compact else [])])


DEFAULT = Variant()
DSP_CORES = ("cortex-m4",)  # with the instructions that assembly and simd.h use
STRIPES = (1, 2, 3, 4, 6, 8, 12, 16)  # that are tried
LOADS_USUAL = 0.23  # of the cycles of a kernel, from RAM: measured, a tenth of all layers below 0.19 or above 0.33
MOST_UNROLLED = 2  # that a compiler writes one behind the other: what it knows of each is not computed then


def stripes(positions: int, tile: int) -> tuple[Variant, ...]:
    """Those that make a difference for tiles of so many positions."""
    tiles = -(-positions // tile)
    counts = {-(-tiles // -(-tiles // count)) for count in STRIPES if count <= tiles}
    return tuple(Variant(count) for count in sorted(counts))


class Kernel(Protocol):
    """A module with these names. The cheapest that fits a layer runs, unless the experiment says otherwise.

    One with `ANY_STORAGE = True` takes inputs without a sign, and stores as any nn_storage_t; others get none of these.
    One with `AFFINE = True` runs layers of affine numbers as well as those whose scales are powers of two.
    One with `ANY_FLOOR = True` knows activations that end elsewhere than at 0, in any numbers.
    One with `NARROW_WEIGHTS = True` takes weights of fewer bytes than its inputs, `weight_t`.
    One with `variants(layer, inputs) -> tuple[Variant, ...]` comes in several, others as DEFAULT alone.
    One with `OPT_IN = True` runs only where it is named: it takes much more flash, or has `largest_error`. One with
    `offers_itself(layer) -> bool` may run such layers unasked, too.
    One with `largest_error(layer, largest)` has other bits than plain C: of inputs up to `largest` an output is off by
    that at most.
    One with `NEEDS_DSP = True` runs on DSP_CORES alone; with `AND_ANYWHERE = True` where no core is known, too.
    One with `LOADS = ..` says what part of its cycles loads from RAM are, about, in place of `LOADS_USUAL`.
    What its code includes of codegen/ goes into the library by itself.
    """

    @property
    def NAME(self) -> str: ...

    @property
    def SUMMARY(self) -> str: ...

    def fits(self, layer: Layer, inputs: Inputs) -> str | None:
        """None when it can run the layer, else the reason why not."""

    def cost(self, layer: Any, inputs: Inputs, variant: Variant = DEFAULT, memory: Memory = NO_WAITS) -> float:
        """Cycles for one sample, about, on a Cortex-M4F with such a memory. Only asked where it fits: a
        kernel says what type its `layer` has then.
        """

    def code(self, layer: Any, inputs: Inputs, variant: Variant = DEFAULT) -> LayerCode:
        """Likewise."""


def known(found: T | None) -> T:
    """What is there, as `fits` has seen."""
    assert found is not None
    return found
