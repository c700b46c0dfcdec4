"""Which Keras layers and activations can be read, and how each number type computes them, for `mcusim layers`."""

from collections.abc import Mapping

from mcusim.models.keras.activations import ACTIVATIONS, FUNCTION_LAYERS, Chosen
from mcusim.models.keras.layers import IDENTITIES, KERAS_NAMES
from mcusim.models.listing import Listing
from mcusim.numbers.functions import Function
from mcusim.numbers.numbers import Activation
from mcusim.numbers.tables import DIRECT_BITS, MOST_SEGMENTS

Cells = tuple[str, str, str]
NUMBER_TYPES = ("float32", f"int{DIRECT_BITS + 1} to int16", f"int4 to int{DIRECT_BITS}")
YES: Cells = ("yes", "yes", "yes")
DROPPED: Cells = ("dropped", "dropped", "dropped")
CURVE: Cells = ("yes", "lines", "table")
TABLES: Cells = ("yes", "table", "table")
WORDS = {
    "yes": "computed as Keras does; integers give the same bits on every engine",
    "dropped": "does nothing at inference",
    "table": "looked up in a table: the nearest number there is",
    "lines": f"up to {MOST_SEGMENTS} straight lines, mostly within 1.5 of the last place",
}


def listings() -> tuple[Listing, ...]:
    """Of layers, and of the activations that they may end with."""
    return Listing("layer", NUMBER_TYPES, kinds()), Listing("activation", NUMBER_TYPES, activations(), WORDS)


def kinds() -> Mapping[str, Cells]:
    """Of each Keras layer, by name."""
    special = (
        dict.fromkeys(IDENTITIES, DROPPED) | dict.fromkeys(FUNCTION_LAYERS, CURVE) | {"ReLU": YES, "Softmax": TABLES}
    )
    return {name: special.get(name, YES) for name in KERAS_NAMES}


def activations() -> Mapping[str, Cells]:
    """Of each activation, by the name that layers call it."""
    return {name: _cells(chosen) for name, chosen in ACTIVATIONS.items()}


def _cells(chosen: Chosen) -> Cells:
    if isinstance(chosen, Function):
        return CURVE
    return YES if isinstance(chosen, Activation) else TABLES
