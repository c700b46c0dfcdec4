"""`[target] kernels` -> the kernels that may run each layer."""

from collections.abc import Iterable
from typing import Any

from mcusim.system.validation import Name, Table, Unusable, known

AUTO, DEFAULT = "auto", "default"
WANTED = '"auto", a name, a list of names, or a table such as { default = "auto", conv1 = "plain" }'


class KernelChoice(Table):
    """Names of the kernels that may run a layer: of `layers` those that are there, of others `default`. None: any."""

    default: tuple[Name, ...] = ()
    layers: tuple[tuple[Name, tuple[Name, ...]], ...] = ()

    def for_layer(self, layer: str) -> tuple[str, ...]:
        return dict(self.layers).get(layer, self.default)

    @property
    def names(self) -> tuple[str, ...]:
        """All that are named, each once."""
        named = (self.default, *(names for _, names in self.layers))
        return tuple(dict.fromkeys(name for names in named for name in names))


def read_choice(value: Any) -> Any:
    """What TOML gives -> fields of a KernelChoice. Raises Unusable; pydantic sees to what is no word and no list."""
    if isinstance(value, KernelChoice):
        return value
    by_layer = value if isinstance(value, dict) else {DEFAULT: value}
    read = {layer: _names(names) for layer, names in by_layer.items()}
    return {"default": read.pop(DEFAULT, ()), "layers": tuple(read.items())}


def _names(value: Any) -> Any:
    if isinstance(value, str):
        return () if value == AUTO else (value,)
    if not isinstance(value, list):
        return value
    if not value:
        raise Unusable("no kernel is named", f"give {WANTED}")
    if AUTO in value:
        raise Unusable(f"{AUTO!r} is no kernel beside others: {value}", f"write {AUTO!r} alone, or only names")
    if any(name in value[:index] for index, name in enumerate(value)):
        raise Unusable(f"a kernel is there twice: {value}", "name each once")
    return tuple(value)


def check_kernels(choice: KernelChoice, names: Iterable[str]) -> None:
    """Raises Unusable unless all that is chosen is one of `names`."""
    for name in choice.names:
        known(name, names, "kernel")


def kernel_names() -> tuple[str, ...]:
    from mcusim.kernels import KERNELS

    return tuple(kernel.NAME for kernel in KERNELS)
