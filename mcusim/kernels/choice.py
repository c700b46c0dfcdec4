"""Layer + what it is built for + what the experiment allows -> the kernels that may run it, and what each costs."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

from mcusim.graph import Layer
from mcusim.kernels import KERNELS
from mcusim.kernels.kernel import DEFAULT, Inputs, Kernel, Variant
from mcusim.program import LayerCode
from mcusim.system.errors import ConfigurationError

WHERE = "[target] kernels"
STACK_BYTES = 160  # that a routine takes and plain C does not, about: registers, and some sums


class KernelChoice(Protocol):
    """Which kernels may run: `layers` names some for single layers."""

    @property
    def layers(self) -> tuple[tuple[str, tuple[str, ...]], ...]: ...

    def for_layer(self, layer: str) -> tuple[str, ...]:
        """Names; none for any."""


@dataclass(frozen=True)
class Limit:
    """Bytes that a model may take. `where`: the key that says so; None for what the board has, which a linker tells."""

    size_bytes: int
    where: str | None = None


@dataclass(frozen=True)
class Destination:
    """What code is made for. `core`: None for any. `wait_states`: of its flash, at its clock.

    `ram`: for the arena, input and output of the model and the stack of its kernels. `flash`: for its weights and code.
    None for no limit.
    """

    core: str | None = None
    wait_states: int = 0
    ram: Limit | None = None
    flash: Limit | None = None


ANYWHERE = Destination()


@dataclass(frozen=True)
class Option:
    """One way to run a layer. `cycles` for one sample, as the kernel says."""

    kernel: Kernel
    variant: Variant
    cycles: float
    layer: Layer
    inputs: Inputs

    @cached_property
    def code(self) -> LayerCode:
        return self.kernel.code(self.layer, self.inputs, self.variant)

    @property
    def scratch_bytes(self) -> int:
        return self.code.scratch_bytes

    @property
    def ram_bytes(self) -> int:
        """Scratch memory, and the stack of what is not plain C."""
        return self.code.scratch_bytes + (STACK_BYTES if self.code.routines else 0)

    @property
    def weights_bytes(self) -> int:
        """Constant arrays; those that layers share are counted in each."""
        return sum(-(-constant.values.nbytes // 4) * 4 for constant in self.code.constants)

    @property
    def code_bytes(self) -> int:
        """Its routines and the C around them, the latter about."""
        return self.code.code_bytes + sum(routine.code_bytes for routine in self.code.routines)

    def __str__(self) -> str:
        variant = str(self.variant)
        return f"{self.kernel.NAME} ({variant})" if variant else self.kernel.NAME


def options(
    layer: Layer, inputs: Inputs, destination: Destination = ANYWHERE, choice: KernelChoice | None = None
) -> list[Option]:
    """At least one, the cheapest first.

    Raises ConfigurationError when a kernel was named for this very layer, and none of those fits: why not. Where those
    that were named for all layers do not fit, any other may run.
    """
    named = choice.for_layer(layer.name) if choice else ()
    reasons = {kernel.NAME: why_not(kernel, layer, inputs, destination.core) for kernel in KERNELS}
    allowed = [kernel for kernel in KERNELS if (kernel.NAME in named if named else not _opt_in(kernel))]
    fitting = [kernel for kernel in allowed if reasons[kernel.NAME] is None]
    if not fitting and not (choice and layer.name in dict(choice.layers)):
        fitting = [kernel for kernel in KERNELS if reasons[kernel.NAME] is None and not _opt_in(kernel)]
    if not fitting:
        why = "; ".join(f"{kernel.NAME}: {reasons[kernel.NAME]}" for kernel in allowed)
        hint = "name another, or none: mcusim kernels lists them"
        raise ConfigurationError(f"no kernel runs layer {layer.name!r} ({why})", where=WHERE, hint=hint)
    every = [option for kernel in fitting for option in _variants(kernel, layer, inputs, destination.wait_states)]
    return sorted(every, key=lambda option: option.cycles)


def _variants(kernel: Kernel, layer: Layer, inputs: Inputs, wait_states: int) -> Iterator[Option]:
    offered = getattr(kernel, "variants", None)
    for variant in offered(layer, inputs) if offered else (DEFAULT,):
        yield Option(kernel, variant, kernel.cost(layer, inputs, variant, wait_states), layer, inputs)


def _opt_in(kernel: Kernel) -> bool:
    """Does it run only where it is named, since its bits are others?"""
    return bool(getattr(kernel, "OPT_IN", False))


def why_not(kernel: Kernel, layer: Layer, inputs: Inputs, core: str | None) -> str | None:
    """Why it cannot run the layer, or None."""
    own = layer.arithmetic
    unsigned = any(entry.numbers is not None and entry.numbers.minimum == 0 for entry in (*inputs, layer))
    wide = own is not None and layer.numbers is not None and own.bits != layer.numbers.bits
    if (unsigned or wide) and not getattr(kernel, "ANY_STORAGE", False):
        return "it takes numbers with a sign alone, and of one width"
    return kernel.fits(layer, inputs, core)
