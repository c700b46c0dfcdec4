"""Several arrays <-> records (N,): a structured array with a field for each, so that a sample stays one thing.

A model of one input needs no names: its samples are a plain array (N, *shape), and so are the labels of one output.
Everywhere else its name is "".
"""

import math
from collections.abc import Mapping

import numpy as np

from mcusim.system.arrays import Array
from mcusim.system.errors import DataError

LARGEST_RECORD_BYTES = 2**31 - 1  # what NumPy can describe


def records_of(fields: Mapping[str, Array]) -> Array:
    """Arrays (N, *shape) by name -> records (N,), fields in this order; an only array comes back as it is.

    DataError when they are not of one length, or a record would be larger than 2 GiB.
    """
    names, arrays = list(fields), list(fields.values())
    if len(names) == 1:
        return arrays[0]
    for name, array in fields.items():
        if len(array) != len(arrays[0]):
            what = f"there are {len(array)} samples of {name!r} and {len(arrays[0])} of {names[0]!r}"
            raise DataError(what, hint="give each sample all of its parts")
    size = sum(math.prod(array.shape[1:]) * array.dtype.itemsize for array in arrays)
    if size > LARGEST_RECORD_BYTES:
        raise DataError(f"one sample has {size:,} bytes", hint="give smaller samples")
    kinds = [(name, array.dtype, array.shape[1:]) for name, array in fields.items()]
    records = np.empty(len(arrays[0]), np.dtype(kinds))
    for name, array in fields.items():
        records[name] = array
    return records


def fields_of(records: Array) -> dict[str, Array]:
    """Inverse of `records_of`, without copying; a plain array is an only field without a name."""
    names = records.dtype.names
    return {"": records} if names is None else {name: records[name] for name in names}
