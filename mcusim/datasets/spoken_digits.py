"""The Free Spoken Digit Dataset (Jackson et al.): English digits at 8 kHz, in the form of MicroAI's Spoken MNIST.

A window of 50 ms begins each 25 ms of the first second; a shorter recording is followed by silence (MicroAI, section
6.1.2). What the paper leaves open: 26 bands from 20 Hz to 4 kHz whose edges are frequencies of a transform of 512,
pre-emphasis 0.97, Hamming's window, sums of at least 1e-10; the first coefficient is the energy. It is the recipe of
what the shipped networks learned from.
"""

import re
from collections.abc import Iterator

import numpy as np

from mcusim.datasets.dataset import Dataset
from mcusim.datasets.members import Members
from mcusim.datasets.mfcc import Mfcc
from mcusim.datasets.published import Archive, Arrays, Publication, arrays_of
from mcusim.datasets.wav import samples_of
from mcusim.system.arrays import Array
from mcusim.system.progress import Progress

SUMMARY = "spoken digits as MFCC, 39 x 13, 10 classes, 2,250 + 250 samples of 5 people, downloaded (11 MiB)"
LICENCE = "CC BY-SA 4.0"
CLASSES = tuple("0123456789")
RECIPE = Mfcc(
    *(8000, 8000, 400, 200, 512, 26, 20.0, 4000.0, 13, 0.97, 2, 1e-10),
    added=False,
    orthonormal=True,
    hamming=True,
    below=True,
)
FIRST_TO_LEARN = 5  # recordings 0 to 4 of each person and digit are the publisher's test set
RECORDINGS = 50


def _people(count: int) -> dict[str, tuple[int, ...]]:
    return {"train": (count * (RECORDINGS - FIRST_TO_LEARN),) * 10, "test": (count * FIRST_TO_LEARN,) * 10}


VERSION = "free-spoken-digit-dataset"
PUBLICATION = Publication(
    "spoken_digits",
    "https://github.com/Jakobovski/free-spoken-digit-dataset/archive/",
    (f"{VERSION}-1.0.9", f"{VERSION}-1.0.10", f"{VERSION}-master", VERSION),
    (Archive("v1.0.9.tar.gz", "8bc44cde129d505cbbb6b365c09f80c663f2aa77578afc634e6141a2f87100c0", 11_975_353),),
    RECIPE.shape,
    tuple(_people(count) for count in (5, 6)),  # 1.0.9, and those after it
    recipe=repr(RECIPE),
)
NAME = re.compile(r"recordings/(\d)_(\w+)_(\d+)\.wav$")


def load(progress: Progress | None = None) -> Dataset:
    """Samples (N, 39, 13); `groups_train` is who speaks. DataError when the data cannot be had or are not these."""
    return PUBLICATION.dataset(arrays_of(PUBLICATION, _parsed, progress, ("groups_train",)), CLASSES)


def _parsed(archives: Iterator[Members]) -> Arrays:
    found: dict[tuple[int, str, int], Array] = {}
    for members in archives:
        for name, read in members:
            if known := NAME.search(name):
                digit, person, number = known.groups()
                found[int(digit), person, int(number)] = RECIPE(samples_of(read(), name, RECIPE.rate) / 2**15)
    keys = sorted(found)
    arrays: Arrays = {}
    for part, wanted in (("train", False), ("test", True)):
        own = [key for key in keys if (key[2] < FIRST_TO_LEARN) == wanted]
        arrays[f"x_{part}"] = np.array([found[key] for key in own], np.float32).reshape(-1, *RECIPE.shape)
        arrays[f"y_{part}"] = np.array([digit for digit, _, _ in own], np.int64)
        arrays[f"groups_{part}"] = np.array([person for _, person, _ in own], str)
    return arrays
