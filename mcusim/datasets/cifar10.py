"""CIFAR-10: photographs of ten kinds of things (Krizhevsky, 2009), in the publisher's split.

The binary version: that for Python is a pickle, which may run anything. Its record is a label, then 1,024 bytes of red,
of green and of blue.
"""

from collections.abc import Iterator

import numpy as np

from mcusim.datasets.dataset import Dataset
from mcusim.datasets.members import Members
from mcusim.datasets.published import Archive, Arrays, Publication, arrays_of
from mcusim.system.arrays import Array
from mcusim.system.progress import Progress

SUMMARY = "photographs, 32 x 32 x 3, 10 classes, 50,000 + 10,000 samples, downloaded (162 MiB)"
LICENCE = (
    "none stated; the publisher asks to cite Krizhevsky, Learning Multiple Layers of Features from Tiny Images, 2009"
)
CLASSES = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
SHAPE = (32, 32, 3)
RECORD = 1 + 3 * 32 * 32  # bytes
PUBLICATION = Publication(
    "cifar10",
    "https://www.cs.toronto.edu/~kriz/",
    ("cifar-10-batches-bin",),
    (
        Archive(
            "cifar-10-binary.tar.gz", "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd", 170_052_171
        ),
    ),
    SHAPE,
    ({"train": (5000,) * 10, "test": (1000,) * 10},),
)
TRAIN = tuple(f"data_batch_{number}.bin" for number in range(1, 6))
TEST = ("test_batch.bin",)


def load(progress: Progress | None = None) -> Dataset:
    """Samples (N, 32, 32, 3): red, green and blue from 0 to 255, first row first.

    DataError when the data cannot be had or are not this data set.
    """
    return PUBLICATION.dataset(arrays_of(PUBLICATION, _parsed, progress), CLASSES)


def _parsed(archives: Iterator[Members]) -> Arrays:
    batches = {}
    for members in archives:
        for name, read in members:
            batch = name.rpartition("/")[2]
            if batch in TRAIN + TEST:
                batches[batch] = _records(read(), batch)
    return _samples("train", [batches[name] for name in TRAIN]) | _samples("test", [batches[name] for name in TEST])


def _records(data: bytes, name: str) -> Array:
    if len(data) % RECORD:
        raise ValueError(f"{name!r} is cut off: it has {len(data):,} bytes, no multiple of {RECORD:,}")
    return np.frombuffer(data, np.uint8).reshape(-1, RECORD)


def _samples(part: str, batches: list[Array]) -> Arrays:
    records = np.concatenate(batches)
    x = records[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return {f"x_{part}": x.astype(np.float32), f"y_{part}": records[:, 0].astype(np.int64)}
