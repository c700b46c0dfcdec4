"""Speech Commands, version 2 (Warden, 2018): words of a second at 16 kHz, as the 49 x 10 coefficients of MLPerf Tiny.

Its twelve classes: ten words, silence, and other words. The test set is the publisher's; learned from is what is not in
the publisher's testing list. Silence to learn is cut from the background noises, a second each half second.
"""

import re
from collections.abc import Iterator

import numpy as np

from mcusim.datasets.dataset import Dataset
from mcusim.datasets.members import Members
from mcusim.datasets.mfcc import Mfcc
from mcusim.datasets.published import Archive, Arrays, Publication, arrays_of
from mcusim.datasets.wav import samples_of
from mcusim.system.arrays import Array, Floats
from mcusim.system.progress import Progress

SUMMARY = "spoken commands as MFCC, 49 x 10, 12 classes, 95,613 + 4,890 samples, downloaded (2.4 GiB)"
LICENCE = "CC BY 4.0"
WORDS = ("down", "go", "left", "no", "off", "on", "right", "stop", "up", "yes")
CLASSES = (*WORDS, "silence", "unknown")
SILENCE, UNKNOWN = len(WORDS), len(WORDS) + 1
RECIPE = Mfcc(16000, 16000, 480, 320, 512, 40, 20.0, 4000.0, 10, 0.0, 1, 1e-6, added=True, orthonormal=False)
PUBLICATION = Publication(
    "speech_commands",
    "https://storage.googleapis.com/download.tensorflow.org/data/",
    ("speech_commands_v0.02", "speech_commands_test_set_v0.02"),
    (
        Archive(
            "speech_commands_v0.02.tar.gz",
            "af14739ee7dc311471de98f5f9d2c9191b18aedfe957f4a6ff791c709868ff58",
            2_428_923_189,
        ),
        Archive(
            "speech_commands_test_set_v0.02.tar.gz",
            "cc2a00c1147c2254e9be3fa0f779d8c17421dc349b86366567a8edfa9acd51df",
            112_563_277,
        ),
    ),
    RECIPE.shape,
    (
        {
            "train": (3511, 3478, 3389, 3536, 3343, 3449, 3382, 3461, 3298, 3625, 789, 60352),
            "test": (406, 402, 412, 405, 402, 396, 396, 411, 425, 419, 408, 408),
        },
    ),
    all_folders=True,
    recipe=repr(RECIPE),
)
NAME = re.compile(r"(?:^|/)([a-z_]+)/([^/]+)\.wav$")
NOISE = "_background_noise_"
TESTED = "testing_list.txt"
Recordings = list[tuple[Floats, int, str]]  # coefficients, class, who speaks


def load(progress: Progress | None = None) -> Dataset:
    """Samples (N, 49, 10); `groups_train` is who speaks. DataError when the data cannot be had or are not these."""
    return PUBLICATION.dataset(arrays_of(PUBLICATION, _parsed, progress, ("groups_train",)), CLASSES)


def _parsed(archives: Iterator[Members]) -> Arrays:
    learned = _learned(next(archives))
    tested: Recordings = []
    for name, read in next(archives):
        if known := NAME.search(name):
            tested.append((_coefficients(samples_of(read(), name, RECIPE.rate)), _class_of(known[1]), ""))
    arrays: Arrays = {"groups_train": np.array([person for _, _, person in learned], str)}
    for part, recordings in (("train", learned), ("test", tested)):
        arrays[f"x_{part}"] = np.array([x for x, _, _ in recordings], np.float32).reshape(-1, *RECIPE.shape)
        arrays[f"y_{part}"] = np.array([y for _, y, _ in recordings], np.int64)
    return arrays


def _learned(members: Members) -> Recordings:
    """What is to be left out may be told at the end."""
    found: dict[str, Recordings] = {}
    left_out: set[str] = set()
    for name, read in members:
        if name.endswith(TESTED):
            left_out = set(read().decode("ascii").split())
        elif known := NAME.search(name):
            word, recording = known.groups()
            sound = samples_of(read(), name, RECIPE.rate)
            person = recording.partition("_nohash_")[0]
            found[f"{word}/{recording}.wav"] = [
                (_coefficients(part), _class_of(word), person)
                for part in (_seconds(sound) if word == NOISE else [sound])
            ]
    if not left_out:
        raise ValueError(f"there is no {TESTED!r}")
    return [one for name, recordings in found.items() if name not in left_out for one in recordings]


def _seconds(sound: Array) -> list[Array]:
    return [sound[at : at + RECIPE.rate] for at in range(0, len(sound) - RECIPE.rate, RECIPE.rate // 2)]


def _class_of(word: str) -> int:
    if word in ("_silence_", NOISE):
        return SILENCE
    return WORDS.index(word) if word in WORDS else UNKNOWN


def _coefficients(sound: Array) -> Floats:
    """As loud as its highest sample allows: so MLPerf Tiny has it."""
    return RECIPE(sound / max(1, sound.max(initial=1)))
