"""Path of a `.pt2` file -> Program: a zip of JSON and of weights as they lie in memory, read without PyTorch.

What `torch.export.save` of PyTorch 2.9 and newer writes; before it was pickled, and a pickle is a program, which nobody
runs here. NAME/models/model.json tells the graph, NAME/data/weights/ and NAME/data/constants/ hold arrays, each with a
file that tells their names, types and shapes.
"""

import json
import zipfile
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from mcusim.system.arrays import Array
from mcusim.system.errors import ModelError
from mcusim.system.names import printable, shortened, words_of

GRAPH = "models/model.json"
CONFIGS = ("data/weights/model_weights_config.json", "data/constants/model_constants_config.json")
OLD = "serialized_exported_program.json"
LARGEST_GRAPH_BYTES, LARGEST_WEIGHTS_BYTES, MOST_ENTRIES = 64 * 2**20, 2**28, 50_000
MOST_EXPANSION = 1100  # deflate cannot do more
# Number of a type in the file -> how it is stored; bfloat16 has no type in NumPy.
DTYPES = {1: "u1", 2: "i1", 3: "<i2", 4: "<i4", 5: "<i8", 6: "<f2", 7: "<f4", 8: "<f8", 12: "?", 13: "<u2"}
BFLOAT16 = 13
AGAIN = "save it again: torch.export.save(torch.export.export(model.eval(), (example,)), 'model.pt2')"
DAMAGE = (OSError, ValueError, LookupError, TypeError, AttributeError, RuntimeError, EOFError, OverflowError)


@dataclass(frozen=True)
class Program:
    """`graph` as JSON has it, and arrays by the names that the module has for them: `conv1.weight`."""

    graph: Mapping[str, Any]
    arrays: Mapping[str, Array]


def broken(reason: object) -> ModelError:
    return ModelError(f"this is no readable program of PyTorch: {reason}", hint=AGAIN)


@contextmanager
def reading() -> Iterator[None]:
    """Whatever zipfile and json raise for a damaged file is a ModelError."""
    try:
        yield
    except (*DAMAGE, zipfile.BadZipFile, zlib.error) as error:
        raise broken(words_of(error)) from None
    except RecursionError:
        raise broken("it is nested too deeply") from None


def program_in(path: Path) -> Program:
    """Raises ModelError whatever is wrong with the file."""
    with reading(), zipfile.ZipFile(path) as file:
        archive = _Archive(file)
        graph = json.loads(archive.read(GRAPH, LARGEST_GRAPH_BYTES))
        arrays: dict[str, Array] = {}
        for name in filter(archive.has, CONFIGS):
            config = json.loads(archive.read(name, LARGEST_GRAPH_BYTES)).get("config") or {}
            folder = name.rpartition("/")[0]
            arrays |= {label: _array(archive, folder, label, told) for label, told in config.items()}
        return Program(graph, arrays)


class _Archive:
    """Entries below the only folder, all of which together are bounded."""

    def __init__(self, archive: zipfile.ZipFile) -> None:
        names = archive.namelist()
        if len(names) > MOST_ENTRIES:
            raise broken("it has too many entries")
        self._archive, self.left = archive, LARGEST_WEIGHTS_BYTES
        graphs = [name for name in names if name == GRAPH or name.endswith(f"/{GRAPH}")]
        if not graphs and any(name.split("/")[-1] == OLD for name in names):
            raise ModelError("the program was saved by a PyTorch before 2.9, whose weights are pickled", hint=AGAIN)
        if len(graphs) != 1:
            raise broken("it holds no graph" if not graphs else "it holds several graphs")
        self._folder, self._names = graphs[0].removesuffix(GRAPH), set(names)

    def has(self, name: str) -> bool:
        return self._folder + name in self._names

    def read(self, name: str, largest: int) -> bytes:
        """Read as a whole, which tells whether its checksum is right."""
        about = self._archive.getinfo(self._folder + name)
        if about.file_size > largest or about.file_size > 2**20 + MOST_EXPANSION * about.compress_size:
            raise broken(f"its {shortened(printable(name), 60)!r} is too large ({about.file_size} bytes)")
        self.left -= about.file_size
        if self.left < 0:
            raise ModelError("the weights do not fit into memory", hint="use a smaller model")
        return self._archive.read(about)


def _array(archive: _Archive, folder: str, label: str, told: Mapping[str, Any]) -> Array:
    """A view of numbers that may lie in any order in their storage."""
    shown = shortened(printable(label), 60)
    if told.get("use_pickle"):
        raise ModelError(f"weights {shown!r} are pickled", hint=AGAIN)
    meta = told["tensor_meta"]
    if meta["dtype"] not in DTYPES:
        raise ModelError(f"weights {shown!r} are of type {meta['dtype']} of PyTorch", hint="save them as float32")
    data = archive.read(f"{folder}/{told['path_name']}", LARGEST_WEIGHTS_BYTES)
    dtype = np.dtype(DTYPES[meta["dtype"]])
    numbers = np.frombuffer(data[: len(data) // dtype.itemsize * dtype.itemsize], dtype)
    shape, strides = (tuple(whole(one) for one in meta[key]) for key in ("sizes", "strides"))
    offset = whole(meta["storage_offset"])
    if len(shape) != len(strides) or len(shape) > 8 or min((*shape, *strides, offset), default=0) < 0:
        raise broken(f"weights {shown!r} have the shape {str(shape)[:60]}")
    if 0 in shape:
        return np.zeros(shape, dtype)
    last = offset + sum((size - 1) * stride for size, stride in zip(shape, strides, strict=True))
    if last >= len(numbers):
        raise broken(f"weights {shown!r} have {len(numbers)} numbers for the shape {str(shape)[:60]}")
    if meta["dtype"] == BFLOAT16:
        numbers = (numbers.astype(np.uint32) << 16).view(np.float32)
    steps = tuple(stride * numbers.itemsize for stride in strides)
    view = np.lib.stride_tricks.as_strided(numbers[offset:], shape, steps, writeable=False)
    if view.size > LARGEST_WEIGHTS_BYTES // 4:
        raise ModelError("the weights do not fit into memory", hint="use a smaller model")
    return np.ascontiguousarray(view)


def whole(told: Mapping[str, Any]) -> int:
    """A size as the file has it. Raises ValueError for what is none."""
    value = told["as_int"]
    if type(value) is not int or abs(value) > 2**40:
        raise ValueError(f"{value!r:.40} is no size")
    return value
