"""Layer + what it is built for + what the experiment allows -> the kernels that may run it, and what each costs."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Protocol

from mcusim.graph import Layer, has_narrow_weights
from mcusim.kernels import KERNELS
from mcusim.kernels.kernel import DEFAULT, DSP_CORES, Inputs, Kernel, Variant
from mcusim.kernels.memory import NO_WAITS, Memory
from mcusim.layers.relu import ReLU
from mcusim.layers.weighted_sum import WeightedSum
from mcusim.numbers.affine import Affine
from mcusim.numbers.integers import ACCUMULATOR_LIMIT
from mcusim.numbers.numbers import Activation
from mcusim.program import Constant, LayerCode
from mcusim.system.errors import ConfigurationError

WHERE = "[target] kernels"
FRAME_BYTES = 56  # of the stack that the C of a layer takes, about

WORD_BYTES = SUM_BYTES = 4
LONG_SUM_BYTES = 8


class KernelChoice(Protocol):
    """Which kernels may run: `layers` names some for single layers."""

    @property
    def layers(self) -> tuple[tuple[str, tuple[str, ...]], ...]: ...

    def for_layer(self, layer: str) -> tuple[str, ...]:
        """Names; none for any."""


@dataclass(frozen=True)
class Limit:
    """Bytes that a model may take. `where`: the key that says so; None for what the board has, which a linker tells.

    `besides_bytes`: what the firmware takes beside the model.
    """

    size_bytes: int
    where: str | None = None
    besides_bytes: int = 0


@dataclass(frozen=True)
class Destination:
    """What code is made for. `core`: None for any. `memory`: what it waits for.

    `ram`: for the arena, input and output of the model and the stack of its layers. `flash`: for its weights and code.
    None for no limit. `code_ram`: bytes of RAM that code runs from without waiting; `always`: even where that saves
    little.
    """

    core: str | None = None
    memory: Memory = NO_WAITS
    ram: Limit | None = None
    flash: Limit | None = None
    code_ram: int = 0
    always: bool = False

    @property
    def unnamed(self) -> "Destination":
        """The same limits, as if nobody had asked for them: what comes nearest is taken where they cannot be met."""
        ram, flash = (limit and replace(limit, where=None) for limit in (self.ram, self.flash))
        return replace(self, ram=ram, flash=flash)


ANYWHERE = Destination()


@dataclass(frozen=True)
class Built:
    """What a compiler made of the C of a layer: its code, and its frame on the stack."""

    code_bytes: int
    frame_bytes: int


@dataclass(frozen=True)
class Option:
    """One way to run a layer. `cycles` for one sample, as the kernel says. `built`: without it sizes of C are about.

    `in_ram`: routines that run from there, which saves about so many `saved` cycles.
    """

    kernel: Kernel
    variant: Variant
    cycles: float
    layer: Layer
    inputs: Inputs
    built: Built | None = None
    in_ram: frozenset[str] = frozenset()
    saved: float = 0.0

    @property
    def how(self) -> tuple[Kernel, Variant]:
        """What sets it apart from the others of its layer, wherever its code lies."""
        return self.kernel, self.variant

    @cached_property
    def code(self) -> LayerCode:
        return self.kernel.code(self.layer, self.inputs, self.variant)

    @property
    def scratch_bytes(self) -> int:
        return self.code.scratch_bytes

    @property
    def stack_bytes(self) -> int:
        """Of its C, and of the routine that goes deepest."""
        frame = self.built.frame_bytes if self.built else FRAME_BYTES
        return frame + max((routine.stack_bytes for routine in self.code.routines), default=0)

    @property
    def ram_bytes(self) -> int:
        """Scratch memory and stack."""
        return self.code.scratch_bytes + self.stack_bytes

    @property
    def weights_bytes(self) -> int:
        """Constant arrays; those that layers share are counted in each."""
        sums = LONG_SUM_BYTES if self.layer.accumulator_peak > ACCUMULATOR_LIMIT else SUM_BYTES
        sizes = (constant.values.size * _item_bytes(constant, sums) for constant in self.code.constants)
        return sum(-(-size // WORD_BYTES) * WORD_BYTES for size in sizes)

    @property
    def c_bytes(self) -> int:
        """Of the C around its routines."""
        return self.built.code_bytes if self.built else self.code.code_bytes

    @property
    def code_bytes(self) -> int:
        """Its routines and the C around them."""
        return self.c_bytes + sum(routine.code_bytes for routine in self.code.routines)

    def __str__(self) -> str:
        variant = str(self.variant)
        return f"{self.kernel.NAME} ({variant})" if variant else self.kernel.NAME


def _item_bytes(constant: Constant, sum_bytes: int) -> int:
    """Of a number of it in C: Python may have it in more."""
    if constant.ctype == "accumulator_t":
        return sum_bytes
    return SUM_BYTES if constant.ctype in ("int32_t", "uint32_t") else int(constant.values.itemsize)


def options(
    layer: Layer, inputs: Inputs, destination: Destination = ANYWHERE, choice: KernelChoice | None = None
) -> list[Option]:
    """At least one, the cheapest first.

    Raises ConfigurationError when a kernel was named for this very layer, and none of those fits: why not. Where those
    that were named for all layers do not fit, any other may run.
    """
    named = choice.for_layer(layer.name) if choice else ()
    allowed = [kernel for kernel in KERNELS if (kernel.NAME in named if named else unasked(kernel, layer))]
    reasons = {kernel.NAME: why_not(kernel, layer, inputs, destination.core) for kernel in allowed}
    fitting = [kernel for kernel in allowed if reasons[kernel.NAME] is None]
    if not fitting and not (choice and layer.name in dict(choice.layers)):
        others = (kernel for kernel in KERNELS if unasked(kernel, layer))
        fitting = [kernel for kernel in others if why_not(kernel, layer, inputs, destination.core) is None]
    if not fitting:
        why = "; ".join(f"{kernel.NAME}: {reasons[kernel.NAME]}" for kernel in allowed)
        hint = "name another, or none: mcusim kernels lists them"
        raise ConfigurationError(f"no kernel runs layer {layer.name!r} ({why})", where=WHERE, hint=hint)
    every = [option for kernel in fitting for option in _variants(kernel, layer, inputs, destination.memory)]
    return sorted(every, key=lambda option: option.cycles)


def _variants(kernel: Kernel, layer: Layer, inputs: Inputs, memory: Memory) -> Iterator[Option]:
    offered = getattr(kernel, "variants", None)
    for variant in offered(layer, inputs) if offered else (DEFAULT,):
        yield Option(kernel, variant, kernel.cost(layer, inputs, variant, memory), layer, inputs)


def _has_floor(layer: Layer) -> bool:
    """Has it an activation that ends above or below 0? Factors of affine numbers know limits of any kind, and so does
    what runs a ReLU alone.
    """
    activation = getattr(layer, "activation", None)
    known = isinstance(layer, ReLU) or isinstance(layer.numbers, Affine)
    return isinstance(activation, Activation) and activation.has_floor and not known


def opt_in(kernel: Kernel) -> bool:
    """Does it run only where it is named?"""
    return bool(getattr(kernel, "OPT_IN", False))


def unasked(kernel: Kernel, layer: Layer) -> bool:
    """May it run that layer where nobody named it?"""
    offers = getattr(kernel, "offers_itself", None)
    return not opt_in(kernel) or bool(offers and isinstance(layer, WeightedSum) and offers(layer))


def why_not(kernel: Kernel, layer: Layer, inputs: Inputs, core: str | None) -> str | None:
    """Why it cannot run the layer, or None. `core`: of a chip; None for any, the host's too."""
    every = (*inputs, layer)
    if not getattr(kernel, "AFFINE", False) and any(isinstance(tensor.numbers, Affine) for tensor in every):
        return "it is for numbers whose scales are powers of two"
    if has_narrow_weights(layer) and not getattr(kernel, "NARROW_WEIGHTS", False):
        return "it takes weights as wide as its inputs"
    if not getattr(kernel, "ANY_FLOOR", False) and _has_floor(layer):
        return "it is for activations that begin at 0"
    anywhere = not getattr(kernel, "NEEDS_DSP", False) or (core is None and getattr(kernel, "AND_ANYWHERE", False))
    if not anywhere and core not in DSP_CORES:
        return f"it is for {', '.join(DSP_CORES)}"
    reason = kernel.fits(layer, inputs)
    if reason or getattr(kernel, "ANY_STORAGE", False):
        return reason
    own = layer.arithmetic
    unsigned = any(entry.numbers is not None and entry.numbers.minimum == 0 for entry in every)
    wide = own is not None and layer.numbers is not None and own.bits != layer.numbers.bits
    return "it takes numbers with a sign alone, and of one width" if unsigned or wide else None
