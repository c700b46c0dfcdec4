"""Kinds of layers -> what writes them as operators of TFLite: a function and a row for each."""

from collections.abc import Mapping

from mcusim.models.tflite.writing import functions, merges, moving, sums, windows
from mcusim.models.tflite.writing.sheet import Writer

WRITERS: Mapping[type, Writer] = {
    **functions.WRITERS,
    **merges.WRITERS,
    **moving.WRITERS,
    **sums.WRITERS,
    **windows.WRITERS,
}
