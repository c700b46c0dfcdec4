"""Description + HDF5 -> the arrays of each layer, in the order of Keras' `get_weights`.

Keras has had two layouts. Since 2.12 a layer's arrays are called 0, 1, .. in a folder named after its class and its
place among layers of that class; models, cells and wrapped layers are folders inside. Before, and in `.h5` until
today, each layer of the outermost model is a group with a list of names, and a nested model is one flat list in it.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from mcusim.models.keras.description import Described
from mcusim.models.keras.hdf5 import Hdf5, broken
from mcusim.models.keras.variables import Variables, variables
from mcusim.system.arrays import Array
from mcusim.system.errors import ModelError

Place = tuple[int, ...]  # of a layer: its index in the model, after that of the model in the one around it

OLD_CONTAINER = "_layer_checkpoint_dependencies"  # before Keras 2.13
CONTAINERS = ("layers", OLD_CONTAINER)
# Where layers keep others: a Bidirectional also keeps the one that it was made from, which holds nothing.
INNER = ("forward_layer", "backward_layer", "cell", "layer")
MOST_ARRAYS = 64  # of a layer
BACKSLASH = "\\"
THEANO = "the kernels of a model that Theano trained are mirrored"


class Weights(Protocol):
    def of(self, place: Place) -> tuple[Array, ...]:
        """Raises ModelError for what is damaged. None at all for a layer without weights."""


def weights_of(model: Described, stored: Hdf5) -> Weights:
    for root in (("model_weights",), ()):
        if stored.texts("layer_names", *root) is not None:
            if stored.text("backend", *root) == "theano" or stored.text("backend") == "theano":
                raise ModelError(THEANO, hint="load and save it once with TensorFlow")
            return Legacy(model, stored, root)
    return Folders(model, stored)


# -- a folder for each layer -------------------------------------------------------------------------------------------


class Folders:
    """Keras 3, and `.keras` files of Keras 2."""

    def __init__(self, model: Described, stored: Hdf5) -> None:
        self._stored = stored
        self._folders: dict[Place, tuple[str, ...]] = {}
        self._first: dict[int, Place] = {}  # what is shared is stored where it comes first
        self._shared: dict[Place, int] = {}
        self._inside: dict[
            tuple[str, ...], set[str]
        ] = {}  # of what Keras 2 saved on Windows: `layers\\conv2d` is a name
        for name in stored.names():
            parts = tuple(name.split(BACKSLASH))
            for depth in range(len(parts) if BACKSLASH in name else 0):
                self._inside.setdefault(parts[:depth], set()).add(parts[depth])
        self._find(model, (), ())

    def _find(self, model: Described, place: Place, folder: tuple[str, ...]) -> None:
        container = next((name for name in CONTAINERS if self._names_in((*folder, name))), CONTAINERS[0])
        stored = self._names_in((*folder, container))
        for index, name in self._names(model, stored, container).items():
            here, layer = (*place, index), model.layers[index]
            self._folders[here] = (*folder, container, name)
            if layer.shared is not None:
                self._first.setdefault(layer.shared, here)
                self._shared[here] = layer.shared
            if layer.is_model:
                self._find(layer, here, self._folders[here])

    def _names(self, model: Described, stored: set[str], container: str) -> dict[int, str]:
        """A class and a count. What is stored elsewhere is counted by Keras 3, and not by Keras 2; Keras 2.12 counts
        what has weights twice."""
        layers = [(index, layer) for index, layer in enumerate(model.layers) if not layer.is_operation]
        mine = [(index, layer) for index, layer in layers if layer.shared not in self._first]
        if container == OLD_CONTAINER:
            return _in_order(mine, stored)
        counted = _counted(layers)
        if all(counted[index] in stored for index, _ in mine):
            return counted
        return _counted(mine)

    def _names_in(self, folder: tuple[str, ...]) -> set[str]:
        return self._inside.get(folder, set()) if self._inside else set(self._stored.names(*folder))

    def of(self, place: Place) -> tuple[Array, ...]:
        arrays = tuple(self._arrays(self._folders[place])) if place in self._folders else ()
        if not arrays and place in self._shared:
            place = self._first[self._shared[place]]
            arrays = tuple(self._arrays(self._folders[place]))
        return arrays

    def _arrays(self, folder: tuple[str, ...], depth: int = 0) -> Iterator[Array]:
        path = (BACKSLASH.join(folder),) if self._inside else folder
        names = self._stored.names(*path, "vars")
        if len(names) > MOST_ARRAYS or not all(name.isdecimal() for name in names):
            raise broken(f"{'/'.join(folder)!r} stores {', '.join(names)[:80]}, not plain weights")
        yield from (self._stored.array(*path, "vars", name) for name in sorted(names, key=int))
        inside = self._names_in(folder) if depth < 4 else ()
        for inner in INNER:
            if inner in inside:
                yield from self._arrays((*folder, inner), depth + 1)


def _counted(layers: Iterable[tuple[int, Described]]) -> dict[int, str]:
    used: dict[str, int] = {}
    names = {}
    for index, layer in layers:
        name = snake_case(layer.kind)
        count = used[name] = used.get(name, -1) + 1
        names[index] = f"{name}_{count}" if count else name
    return names


def _in_order(layers: Iterable[tuple[int, Described]], stored: Iterable[str]) -> dict[int, str]:
    """The n-th layer of a class has the n-th folder of it."""
    folders: dict[str, list[tuple[int, str]]] = {}
    for name in stored:
        stem, _, count = name.rpartition("_")
        known = (stem, int(count)) if count.isdecimal() and stem else (name, 0)
        folders.setdefault(known[0], []).append((known[1], name))
    left = {stem: sorted(names, reverse=True) for stem, names in folders.items()}
    kinds = ((index, snake_case(layer.kind)) for index, layer in layers)
    return {index: left[kind].pop()[1] for index, kind in kinds if left.get(kind)}


def snake_case(kind: str) -> str:
    """DepthwiseConv2D -> depthwise_conv2d, as Keras names folders."""
    words = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", re.sub(r"\W+", "", kind))
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", words).lower()


# -- a list of names for each layer ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Leaf:
    place: Place
    layer: Described
    variables: Variables


class Legacy:
    """`.h5` files, and weights that Keras 2 saved beside a `.json`."""

    def __init__(self, model: Described, stored: Hdf5, root: tuple[str, ...]) -> None:
        self._stored = stored
        self._paths: dict[Place, tuple[tuple[str, ...], ...]] = {}
        for (index, layer), (group, names) in self._pairs(model, root):
            paths = {name: (*root, group, name) for name in names}
            if len(paths) < len(names):
                raise broken(f"arrays of layer {group!r} have one name, and only one of them is stored")
            if layer.is_model:
                for place, inner in _shared_out(layer, (index,), names).items():
                    self._paths[place] = tuple(paths[name] for name in inner)
            else:
                self._paths[(index,)] = tuple(paths.values())

    def _pairs(
        self, model: Described, root: tuple[str, ...]
    ) -> Iterator[tuple[tuple[int, Described], tuple[str, tuple[str, ...]]]]:
        """Layers and what is stored for them: by name, or one after the other where names differ, as Keras does."""
        groups = {name: self._stored.texts("weight_names", *root, name) or () for name in self._names(root)}
        layers = list(enumerate(model.layers))
        if not {name for name, names in groups.items() if names} <= {layer.name for layer in model.layers}:
            layers = [(index, layer) for index, layer in layers if any(_leaves(layer, (index,)))]
            groups = {name: names for name, names in groups.items() if names}
            if len(layers) != len(groups):
                raise broken(f"weights of {len(groups)} layers are stored, and {len(layers)} layers have some")
            yield from zip(layers, groups.items(), strict=True)
            return
        yield from ((item, (item[1].name, groups[item[1].name])) for item in layers if item[1].name in groups)

    def _names(self, root: tuple[str, ...]) -> tuple[str, ...]:
        return self._stored.texts("layer_names", *root) or ()

    def of(self, place: Place) -> tuple[Array, ...]:
        return tuple(self._stored.array(*path) for path in self._paths.get(place, ()))


def _shared_out(model: Described, place: Place, names: tuple[str, ...]) -> Mapping[Place, list[str]]:
    """The one list of a nested model -> the names of each layer in it: those with its name in them, else by order."""
    leaves = list(_leaves(model, place))
    given = _by_name(leaves, names) or _by_order(model, place, leaves, names)
    if given is None:
        wanted = sum(len(leaf.variables.all) for leaf in leaves)
        raise broken(f"model {model.name!r} has {wanted} arrays, and {len(names)} are stored")
    first = {leaf.layer.shared: leaf.place for leaf in _distinct(leaves)}
    return {leaf.place: given.get(leaf.place) or given[first[leaf.layer.shared]] for leaf in leaves}


def _leaves(layer: Described, place: Place) -> Iterator[_Leaf]:
    """Layers that have weights."""
    if layer.is_model:
        for index, inner in enumerate(layer.layers):
            yield from _leaves(inner, (*place, index))
    elif (found := variables(layer.kind, layer.config)).all:
        yield _Leaf(place, layer, found)


def _distinct(leaves: list[_Leaf]) -> list[_Leaf]:
    """Without those that are one object with an earlier one."""
    seen: set[int] = set()
    kept = []
    for leaf in leaves:
        if leaf.layer.shared is None or leaf.layer.shared not in seen:
            kept.append(leaf)
        if leaf.layer.shared is not None:
            seen.add(leaf.layer.shared)
    return kept


def _by_name(leaves: list[_Leaf], names: tuple[str, ...]) -> dict[Place, list[str]] | None:
    """`conv1d/kernel:0` belongs to the layer `conv1d`. None unless that gives every layer what it wants."""
    given: dict[Place, list[str]] = {leaf.place: [] for leaf in _distinct(leaves)}
    owners: dict[str, list[_Leaf]] = {}
    for leaf in _distinct(leaves):
        owners.setdefault(leaf.layer.name, []).append(leaf)
    for name in names:
        mine = [leaf for part in set(name.split("/")[:-1]) for leaf in owners.get(part, ())]
        if len(mine) != 1:
            return None
        given[mine[0].place].append(name)
    wanted = {leaf.place: list(map(_variable, leaf.variables.all)) for leaf in _distinct(leaves)}
    told = {place: [_variable(name) for name in given[place]] for place in given}
    return given if told == wanted else None


def _variable(name: str) -> str:
    """`conv1d/kernel:0` -> kernel. Only Keras 2 tells that a kernel is depthwise."""
    return name.rpartition("/")[2].partition(":")[0].removeprefix("depthwise_")


def _by_order(
    model: Described, place: Place, leaves: list[_Leaf], names: tuple[str, ...]
) -> dict[Place, list[str]] | None:
    """Keras writes what is trained first, then the rest; of a frozen layer all is rest."""
    by_place = {leaf.place: leaf for leaf in _distinct(leaves)}
    trained, rest = _order(model, place, by_place)
    if len(trained + rest) != len(names):
        return None
    given: dict[Place, list[tuple[int, str]]] = {leaf: [] for leaf in by_place}
    for (leaf, index), name in zip(trained + rest, names, strict=True):
        given[leaf].append((index, name))
    return {leaf: [name for _, name in sorted(found)] for leaf, found in given.items()}


Slot = tuple[Place, int]


def _order(layer: Described, place: Place, leaves: Mapping[Place, _Leaf]) -> tuple[list[Slot], list[Slot]]:
    if layer.is_model:
        inner = [_order(child, (*place, index), leaves) for index, child in enumerate(layer.layers)]
        trained, rest = ([slot for part in inner for slot in part[i]] for i in (0, 1))
        if layer.config.get("trainable", True):
            return trained, rest
        return [], [slot for part in inner for half in part for slot in half]
    found = leaves[place].variables if place in leaves else Variables((), ())
    slots = [(place, index) for index in range(len(found.all))]
    count = len(found.trained) if layer.config.get("trainable", True) else 0
    return slots[:count], slots[count:]
