"""Every core that firmware can be built for."""

from mcusim.boards.chip import Chip
from mcusim.cores import cortex_m4f
from mcusim.cores.core import Core
from mcusim.system.errors import ConfigurationError, suggestion

CORES: tuple[Core, ...] = (cortex_m4f,)


def core_of(chip: Chip) -> Core:
    """Raises ConfigurationError when mcusim does not know the core of `chip`."""
    for core in CORES:
        if (chip.core, chip.fpu) in core.CHIPS:
            return core
    spelled = f"core {chip.core!r} with {'no fpu' if chip.fpu is None else f'fpu {chip.fpu!r}'}"
    known = [name for core in CORES for name, _ in core.CHIPS]
    raise ConfigurationError(
        f"mcusim builds nothing for {spelled}", where=f"chip {chip.name!r}", hint=suggestion(chip.core, known)
    )
