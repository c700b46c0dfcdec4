"""Layer + core + what the experiment allows -> the kernel that runs it: the cheapest that fits."""

from __future__ import annotations

from typing import Protocol

from mcusim.graph import Layer
from mcusim.kernels import KERNELS
from mcusim.kernels.kernel import Inputs, Kernel
from mcusim.system.errors import ConfigurationError

WHERE = "[target] kernels"


class KernelChoice(Protocol):
    """Which kernels may run: `layers` names some for single layers."""

    @property
    def layers(self) -> tuple[tuple[str, tuple[str, ...]], ...]: ...

    def for_layer(self, layer: str) -> tuple[str, ...]:
        """Names; none for any."""


def choose(layer: Layer, inputs: Inputs, core: str | None, choice: KernelChoice | None = None) -> Kernel:
    """Raises ConfigurationError when a kernel was named for this very layer, and none of those fits: why not.

    Where those that were named for all layers do not fit, any other may run.
    """
    named = choice.for_layer(layer.name) if choice else ()
    allowed = [kernel for kernel in KERNELS if not named or kernel.NAME in named]
    reasons = {kernel.NAME: _reason(kernel, layer, inputs, core) for kernel in KERNELS}
    fitting = [kernel for kernel in allowed if reasons[kernel.NAME] is None]
    if not fitting and not (choice and layer.name in dict(choice.layers)):
        fitting = [kernel for kernel in KERNELS if reasons[kernel.NAME] is None]
    if not fitting:
        why = "; ".join(f"{kernel.NAME}: {reasons[kernel.NAME]}" for kernel in allowed)
        hint = "name another, or none: mcusim kernels lists them"
        raise ConfigurationError(f"no kernel runs layer {layer.name!r} ({why})", where=WHERE, hint=hint)
    return min(fitting, key=lambda kernel: kernel.cost(layer, inputs))


def _reason(kernel: Kernel, layer: Layer, inputs: Inputs, core: str | None) -> str | None:
    """Why it cannot run the layer, or None."""
    own = layer.arithmetic
    unsigned = any(entry.numbers is not None and entry.numbers.minimum == 0 for entry in (*inputs, layer))
    wide = own is not None and layer.numbers is not None and own.bits != layer.numbers.bits
    if (unsigned or wide) and not getattr(kernel, "ANY_STORAGE", False):
        return "it takes numbers with a sign alone, and of one width"
    return kernel.fits(layer, inputs, core)
