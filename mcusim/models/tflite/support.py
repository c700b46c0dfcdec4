"""Which operators of TFLite can be read, and in which numbers they compute, for `mcusim layers`."""

from mcusim.models.listing import Listing
from mcusim.models.tflite.layers import CONVERTERS, IN_TYPES, TYPES, VIEWS

# What exists only in pieces: it becomes the dilation of the convolution between them.
AROUND_A_CONVOLUTION = ("BATCH_TO_SPACE_ND", "SPACE_TO_BATCH_ND")
WORDS = {
    "yes": "bits of TensorFlow Lite Micro, but for the order of sums of reals",
    "no": "not computed, and by TFLM ABS, DIV, SQUARED_DIFFERENCE alone",
    "view": "the same numbers in the same order: costs nothing",
    "dilation": "with the convolution between them, a convolution with gaps",
}


def listings() -> tuple[Listing, ...]:
    names = sorted({*CONVERTERS, *VIEWS, *AROUND_A_CONVOLUTION})
    return (Listing("operator", TYPES, {name: _cells(name) for name in names}, WORDS),)


def _cells(name: str) -> tuple[str, ...]:
    word = "view" if name in VIEWS else "dilation" if name in AROUND_A_CONVOLUTION else "yes"
    return tuple(word if dtype in IN_TYPES.get(name, TYPES) else "no" for dtype in TYPES)
