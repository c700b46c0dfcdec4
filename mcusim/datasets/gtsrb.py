"""GTSRB: photographs of German traffic signs (Stallkamp et al., 2011), in the publisher's split, scaled to 32 x 32.

Bilinear, each pixel averaged below a triangle as wide as it is in the photograph, which keeps fine patterns from
becoming others (MicroAI, section 6.1.3).
"""

import csv
import io
import re
from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from mcusim.datasets.dataset import Dataset
from mcusim.datasets.members import Members
from mcusim.datasets.published import Archive, Arrays, Publication, arrays_of
from mcusim.system.arrays import Array
from mcusim.system.progress import Progress

SUMMARY = "German traffic signs, 32 x 32 x 3, 43 classes, 39,209 + 12,630 samples, downloaded (348 MiB)"
LICENCE = (
    "none stated; the publisher asks to cite Stallkamp et al., The German Traffic Sign Recognition Benchmark, 2011"
)
SIZE = 32
LARGEST_SIDE = 1024  # of a photograph; the publisher's have up to 250
# fmt: off
TRAIN = (
    210, 2220, 2250, 1410, 1980, 1860, 420, 1440, 1410, 1470, 2010, 1320, 2100, 2160, 780, 630, 420, 1110, 1200, 210,
    360, 330, 390, 510, 270, 1500, 600, 240, 540, 270, 450, 780, 240, 689, 420, 1200, 390, 210, 2070, 300, 360, 240,
    240,
)
TEST = (
    60, 720, 750, 450, 660, 630, 150, 450, 450, 480, 660, 420, 690, 720, 270, 210, 150, 360, 390, 60, 90, 90,
    120, 150, 90, 480, 180, 60, 150, 90, 150, 270, 60, 210, 120, 390, 120, 60, 690, 90, 90, 60, 90,
)
# fmt: on
PUBLICATION = Publication(
    "gtsrb",
    "https://sid.erda.dk/public/archives/daaeac0d7ce1152aea9b61d9f1e19370/",
    ("GTSRB",),
    (
        Archive("GTSRB_Final_Training_Images.zip", "md5:f33fd80ac59bff73c82d25ab499e03a3", None),
        Archive("GTSRB_Final_Test_Images.zip", "md5:c7e4e6327067d32654124b0fe9e82185", None),
        Archive("GTSRB_Final_Test_GT.zip", "md5:fe31e9c9270bbcd7b84b7f21a9d9d9e5", None),
    ),
    (SIZE, SIZE, 3),
    ({"train": TRAIN, "test": TEST},),
    recipe="bilinear",
)
TRAINED = re.compile(r"Final_Training/Images/(\d{5})/(\d{5})_\d{5}\.ppm$")
TESTED = re.compile(r"Final_Test/Images/(\d{5})\.ppm$")
LABELS = "GT-final_test.csv"
HEADER = re.compile(rb"P6\s+(?:#[^\n]*\n\s*)*(\d{1,5})\s+(?:#[^\n]*\n\s*)*(\d{1,5})\s+(?:#[^\n]*\n\s*)*255\s")


def load(progress: Progress | None = None) -> Dataset:
    """Samples (N, 32, 32, 3), red, green and blue from 0 to 255; `groups_train` are tracks: photographs of one sign.

    Classes are named by their numbers. DataError when the data cannot be had or are not this data set.
    """
    arrays = arrays_of(PUBLICATION, _parsed, progress, ("groups_train",))
    return PUBLICATION.dataset(arrays, tuple(map(str, range(len(TRAIN)))))


def _parsed(archives: Iterator[Members]) -> Arrays:
    trained: list[tuple[Array, int, int]] = []
    tested: dict[int, Array] = {}
    classes: dict[int, int] = {}
    for members in archives:
        for name, read in members:
            if known := TRAINED.search(name):
                label, track = map(int, known.groups())
                trained.append((scaled(_pixels(read(), name)), label, 100_000 * label + track))
            elif known := TESTED.search(name):
                tested[int(known[1])] = scaled(_pixels(read(), name))
            elif name.endswith(LABELS):
                classes = _classes(read())
    if not trained or not tested or tested.keys() != classes.keys():
        told = f"{len(trained):,} photographs to learn from, {len(tested):,} to test, {len(classes):,} labels of these"
        raise ValueError(f"{told} in {LABELS!r}")
    x, y, tracks = zip(*trained, strict=True)
    return {
        "x_train": np.stack(x),
        "y_train": np.array(y),
        "groups_train": np.array(tracks),
        "x_test": np.stack([tested[number] for number in sorted(tested)]),
        "y_test": np.array([classes[number] for number in sorted(tested)]),
    }


def _classes(text: bytes) -> dict[int, int]:
    """Number of each photograph to test -> its class. ValueError tells of which row there is none."""
    classes: dict[int, int] = {}
    try:
        for row in csv.DictReader(io.StringIO(text.decode("ascii")), delimiter=";"):
            classes[int(row["Filename"].partition(".")[0])] = int(row["ClassId"])
    except (csv.Error, ValueError, KeyError, TypeError, AttributeError):
        where = f"{LABELS!r}, behind {len(classes):,} photographs"
        raise ValueError(f"{where}, has no row of 'Filename' and 'ClassId' between ';'") from None
    return classes


def _pixels(data: bytes, name: str) -> Array:
    """Of a PPM file: (height, width, 3) uint8. ValueError for another."""
    head = HEADER.match(data)
    width, height = map(int, head.groups()) if head else (0, 0)
    fits = 0 < min(width, height) <= max(width, height) <= LARGEST_SIDE
    if not head or not fits or len(data) - head.end() < 3 * width * height:
        raise ValueError(f"{name!r} is no PPM file, or cut off")
    return np.frombuffer(data, np.uint8, 3 * width * height, head.end()).reshape(height, width, 3)


def scaled(pixels: Array) -> Array:
    """(height, width, 3) uint8 -> (32, 32, 3) uint8"""
    height, width = pixels.shape[:2]
    rows, columns = _averages(height), _averages(width)
    values = np.einsum("ih,hwc->iwc", rows, pixels.astype(np.float32), optimize=True)
    return np.asarray(np.rint(np.einsum("jw,iwc->ijc", columns, values, optimize=True)), dtype=np.uint8)


@lru_cache(maxsize=256)
def _averages(length: int) -> Array:
    """(32, length): the share of each pixel of a line in each of the 32 that it becomes."""
    ratio = length / SIZE
    centres = (np.arange(SIZE)[:, np.newaxis] + 0.5) * ratio - 0.5
    shares = np.maximum(0, 1 - np.abs(np.arange(length) - centres) / max(ratio, 1))
    return np.asarray(shares / shares.sum(axis=1, keepdims=True), dtype=np.float32)
