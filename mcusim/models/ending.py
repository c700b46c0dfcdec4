"""The end of a Graph that was read: its outputs, each a tensor of its own, and the layers that they need. All names."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from mcusim.graph import Layer
from mcusim.layers.reshape import Reshape
from mcusim.system.errors import ModelError


@dataclass
class Names:
    """Of layers, and of outputs: each is given once. `unique` tells another where a name is taken."""

    used: dict[str, int] = field(default_factory=dict)

    def unique(self, name: str) -> str:
        first = name
        while name in self.used:
            self.used[first] += 1
            name = f"{first}_{self.used[first]}"
        self.used[name] = 1
        return name

    def release(self, name: str) -> None:
        """It is free again."""
        self.used.pop(name, None)


def output_names(names: Sequence[str]) -> list[str]:
    """What the outputs are called, each by another name; an only one is `output`."""
    if len(names) == 1:
        return ["output"]
    return list(map(Names().unique, names))


def distinct(ends: Sequence[str], layers: Sequence[Layer], add: Callable[[Layer], object]) -> list[str]:
    """Each output is a tensor of its own: of several, one that is there twice or is an input is seen through a Reshape,
    which `add` makes part of the graph.
    """
    if len(ends) == 1:
        return list(ends)
    by_name = {layer.name: layer for layer in layers}
    taken = {layer.name for layer in layers if layer.INPUT}
    found = []
    for end in ends:
        if end in taken:
            name = f"{end}_output"
            while name in by_name:
                name += "_"
            seen = Reshape(name=name, inputs=(end,), shape=by_name[end].shape, numbers=by_name[end].numbers)
            add(seen)
            by_name[name], end = seen, name
        taken.add(end)
        found.append(end)
    return found


def reachable(layers: Sequence[Layer], ends: Sequence[str]) -> list[Layer]:
    """The layers that the outputs need; an only output comes last."""
    by_name = {layer.name: layer for layer in layers}
    needed = {layer.name for layer in layers if layer.INPUT}
    if set(ends) <= needed:
        raise ModelError("the model computes nothing", hint="add a layer")
    waiting = list(ends)
    while waiting:
        name = waiting.pop()
        if name not in needed:
            needed.add(name)
            waiting.extend(by_name[name].inputs)
    kept = [layer for layer in layers if layer.name in needed]
    if len(ends) > 1:
        return kept
    return [*(layer for layer in kept if layer.name != ends[0]), by_name[ends[0]]]
