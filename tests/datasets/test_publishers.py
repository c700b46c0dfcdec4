"""Spoken digits, traffic signs and speech commands: small sets as their publishers lay them, real ones if there are."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from mcusim.datasets import gtsrb, load_dataset, speech_commands, spoken_digits
from mcusim.datasets.dataset import Dataset
from mcusim.datasets.published import Archive
from mcusim.system.errors import DataError
from tests.datasets.test_members import tarred, zipped
from tests.datasets.test_mfcc import wav
from tests.server import Server
from tests.server import server as server  # noqa: PLC0414  (a fixture)

Files = dict[str, bytes]
ROOMS: dict[str, ModuleType] = {"spoken_digits": spoken_digits, "gtsrb": gtsrb, "speech_commands": speech_commands}
REAL = Path(os.environ.get("MCUSIM_DATA_DIR", "/nowhere"))


def sound(seed: int, length: int = 900) -> np.ndarray:
    return np.random.RandomState(seed).randint(-9000, 9000, length)


def digits() -> Files:
    """Two people, two recordings to test and one to learn from each digit."""
    top = "free-spoken-digit-dataset-1.0.9"
    names = [f"{digit}_{who}_{number}" for digit in range(10) for who in ("ann", "bob") for number in (0, 4, 11)]
    recordings = {f"{top}/recordings/{name}.wav": wav(sound(at)) for at, name in enumerate(names)}
    return recordings | {f"{top}/README.md": b"text"}


def ppm(height: int, width: int, color: tuple[int, int, int]) -> bytes:
    return b"P6\n# a comment\n%d %d\n255\n" % (width, height) + bytes(color) * (height * width)


def signs() -> Files:
    """Of each class a track of two photographs to learn from, and one photograph to test."""
    files = {"GTSRB/Final_Test/Images/GT-final_test.test.csv": b"Filename;Width\n"}
    rows = ["Filename;Width;Height;Roi.X1;Roi.Y1;Roi.X2;Roi.Y2;ClassId"]
    for label in range(43):
        for frame in range(2):
            name = f"{label:05}/{label % 3:05}_{frame:05}.ppm"
            files[f"GTSRB/Final_Training/Images/{name}"] = ppm(20 + label, 30, (label, frame, 200))
        files[f"GTSRB/Final_Test/Images/{42 - label:05}.ppm"] = ppm(40, 32, (label, 9, 100))
        rows.append(f"{42 - label:05}.ppm;32;40;5;5;20;20;{label}")
    return files | {"GTSRB/GT-final_test.csv": "\r\n".join(rows).encode()}


def commands() -> Files:
    """Each word and another to learn from, once; one of two people in the publisher's list is tested."""
    first, second = speech_commands.PUBLICATION.folders
    files = {}
    for at, word in enumerate((*speech_commands.WORDS, "bed")):
        files[f"{first}/{word}/aa{at}_nohash_0.wav"] = wav(sound(at, 16000), 16000)
        files[f"{first}/{word}/bb_nohash_1.wav"] = wav(sound(at + 20, 9000), 16000)
    listed = "\n".join(f"{word}/bb_nohash_1.wav" for word in (*speech_commands.WORDS, "bed"))
    files[f"{first}/_background_noise_/tap.wav"] = wav(sound(1, 24001), 16000)
    files |= {f"{first}/testing_list.txt": listed.encode(), f"{first}/validation_list.txt": b"no/aa3_nohash_0.wav"}
    for word in (*speech_commands.WORDS, "_silence_", "_unknown_"):
        files[f"{second}/{word}/cc_nohash_0.wav"] = wav(sound(3, 16000), 16000)
    return files


MADE: dict[str, Callable[[], Files]] = {"spoken_digits": digits, "gtsrb": signs, "speech_commands": commands}
COUNTS = {
    "spoken_digits": {"train": (2,) * 10, "test": (4,) * 10},
    "gtsrb": {"train": (2,) * 43, "test": (1,) * 43},
    "speech_commands": {"train": (*(1,) * 10, 2, 1), "test": (1,) * 12},
}


def packed(name: str, files: Files) -> list[bytes]:
    """As the publisher packs them."""
    if name == "spoken_digits":
        return [tarred(files)]
    if name == "gtsrb":
        kinds = ("Final_Training", "Final_Test/", "GT-final_test.csv")
        return [zipped({path: data for path, data in files.items() if kind in path}) for kind in kinds]
    folders = speech_commands.PUBLICATION.folders
    return [
        tarred({"." + path.removeprefix(own): data for path, data in files.items() if path.startswith(own + "/")})
        for own in folders
    ]


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("mcusim.system.download.FIRST_PAUSE_S", 0.0)
    monkeypatch.setenv("MCUSIM_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("MCUSIM_DATA_DIR", str(tmp_path))


def with_archives(monkeypatch: pytest.MonkeyPatch, name: str, contents: list[bytes]) -> list[str]:
    """The set of that name is this small one; names of its archives."""
    known = ROOMS[name].PUBLICATION
    own = zip(known.archives, contents, strict=True)
    archives = tuple(Archive(one.name, hashlib.sha256(data).hexdigest(), None) for one, data in own)
    monkeypatch.setattr(ROOMS[name], "PUBLICATION", replace(known, archives=archives, versions=(COUNTS[name],)))
    return [archive.name for archive in archives]


def lay(folder: Path, files: Files) -> None:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def small_set(name: str) -> Dataset:
    dataset = load_dataset(name)
    assert dataset.x_train is not None and dataset.y_train is not None and dataset.groups_train is not None
    assert np.bincount(dataset.y_train).tolist() == list(COUNTS[name]["train"])
    assert np.bincount(dataset.y_test).tolist() == list(COUNTS[name]["test"])
    assert len(dataset.classes_of()) == len(COUNTS[name]["test"]) and dataset.x_test.dtype == np.float32
    return dataset


@pytest.mark.parametrize("name", MADE)
def test_folder_archives_and_what_is_kept_are_the_same(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = packed(name, MADE[name]())
    names = with_archives(monkeypatch, name, contents)
    lay(tmp_path, dict(zip(names, contents, strict=True)))
    of_archives = small_set(name)
    monkeypatch.setattr(ROOMS[name], "_parsed", lambda archives: pytest.fail("it is in the cache"))
    of_cache = small_set(name)
    monkeypatch.undo()
    monkeypatch.setenv("MCUSIM_DATA_DIR", str(tmp_path))
    with_archives(monkeypatch, name, contents)
    lay(tmp_path, MADE[name]())
    of_folder = small_set(name)
    for other in (of_cache, of_folder):
        order = [
            np.lexsort((each.x_train[..., 0].reshape(len(each.x_train), -1)[:, 0], each.y_train))
            for each in (of_archives, other)
        ]
        np.testing.assert_array_equal(of_archives.x_train[order[0]], other.x_train[order[1]])
        np.testing.assert_array_equal(of_archives.groups_train[order[0]], other.groups_train[order[1]])
        np.testing.assert_array_equal(of_archives.x_test.sum(axis=0), other.x_test.sum(axis=0))


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 half of it", None])
def test_what_is_kept_is_made_anew_where_it_is_damaged(
    content: bytes | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    contents = packed("spoken_digits", digits())
    names = with_archives(monkeypatch, "spoken_digits", contents)
    lay(tmp_path, dict(zip(names, contents, strict=True)))
    before = small_set("spoken_digits")
    [kept] = (tmp_path / "cache").glob("*.npz")
    whole = kept.read_bytes()
    if content is None:
        np.savez(kept, x_train=np.zeros((1, 39, 13)), y_train=[0], x_test=np.zeros((1, 39, 13)), y_test=[0])
    else:
        kept.write_bytes(content)
    np.testing.assert_array_equal(small_set("spoken_digits").x_test, before.x_test)
    assert kept.read_bytes() == whole


def test_from_a_mirror(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.content = packed("spoken_digits", digits())[0]
    with_archives(monkeypatch, "spoken_digits", [server.content])
    monkeypatch.setenv("MCUSIM_SPOKEN_DIGITS_URL", server.url + "/")
    small_set("spoken_digits")
    assert server.paths == ["/data.zip/v1.0.9.tar.gz"]


def test_tracks_and_colors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_archives(monkeypatch, "gtsrb", [b"", b"", b""])
    lay(tmp_path, signs())
    dataset = small_set("gtsrb")
    assert len(set(dataset.groups_train.tolist())) == 43, "a track has a number of its own in all classes"
    np.testing.assert_array_equal(dataset.x_train[2 * 7 + 1], np.full((32, 32, 3), (7, 1, 200), np.float32))
    np.testing.assert_array_equal(dataset.x_test[0], np.full((32, 32, 3), (42, 9, 100), np.float32))
    assert dataset.y_test[0] == 42


def test_scaled() -> None:
    """Half as large: a pixel is an average of four lines, and stripes become grey; larger: between its neighbours."""
    stripes = np.zeros((64, 64, 3), np.uint8)
    stripes[::2] = 200
    assert (np.abs(gtsrb.scaled(stripes)[1:-1].astype(int) - 100) <= 1).all()
    ramp = np.repeat(np.arange(16, dtype=np.uint8)[:, np.newaxis] * 10, 16, axis=1)[..., np.newaxis].repeat(3, axis=2)
    assert gtsrb.scaled(ramp)[1:-1, 3, 0].tolist()[:4] == [2, 8, 12, 18]


def test_who_speaks_and_silence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_archives(monkeypatch, "speech_commands", [b"", b""])
    lay(tmp_path, commands())
    dataset = small_set("speech_commands")
    assert "bb" not in set(dataset.groups_train.tolist()) and "aa3" in set(dataset.groups_train.tolist())


@pytest.mark.parametrize(
    ("name", "path", "data", "message"),
    [
        ("spoken_digits", "recordings/3_ann_11.wav", wav(sound(1), 16000), "16,000 samples a second"),
        ("spoken_digits", "recordings/3_ann_11.wav", b"RIFF", "no WAV"),
        ("spoken_digits", "recordings/3_ann_4.wav", None, "this is not 'spoken_digits'"),
        ("gtsrb", "Final_Test/Images/00003.ppm", ppm(40, 32, (1, 1, 1))[:-1], "cut off"),
        ("gtsrb", "Final_Test/Images/00003.ppm", b"P6 99999 99999 255 ", "no PPM"),
        ("gtsrb", "Final_Test/Images/00003.ppm", None, "42 to test, 43 labels"),
        ("gtsrb", "GT-final_test.csv", None, "0 labels of these in 'GT-final_test.csv'"),
        ("gtsrb", "Final_Test/Images/00003.ppm", b"P6 0 5 255 ", "no PPM"),
        ("gtsrb", "GT-final_test.csv", b"a;b\n1;2\n", "'GT-final_test.csv', behind 0 photographs, has no row of"),
        ("gtsrb", "GT-final_test.csv", b"Filename;ClassId\n3.ppm;1\n4.ppm\n", "behind 1 photographs"),
        ("gtsrb", "GT-final_test.csv", b"Filename;ClassId\n3.ppm;" + b"9" * 200_000, "behind 0 photographs"),
        ("gtsrb", "GT-final_test.csv", b"Filename;ClassId\r3.ppm;1\r", "behind 0 photographs"),
        (
            "gtsrb",
            "Final_Training/Images/00020/00002_00002.ppm",
            ppm(9, 9, (1, 1, 1)),
            r"2, \.\., 3 of class 20, \.\.\)",
        ),
        ("spoken_digits", "recordings/3_ann_11.wav", wav(sound(1))[:-300], "3_ann_11.wav' is cut off"),
        ("speech_commands", "_background_noise_/tap.wav", None, r"1, \.\., 0 of class 10, \.\.\)"),
        ("speech_commands", "testing_list.txt", None, "there is no 'testing_list.txt'"),
        ("speech_commands", "right/aa6_nohash_0.wav", None, "this is not 'speech_commands'"),
        ("speech_commands", "right/aa6_nohash_0.wav", wav([1], 8000), "8,000 samples a second"),
    ],
)
def test_damaged_content(
    name: str, path: str, data: bytes | None, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = ROOMS[name].PUBLICATION.folders[0]
    with_archives(monkeypatch, name, [b""] * len(ROOMS[name].PUBLICATION.archives))
    files = MADE[name]() | ({} if data is None else {f"{folder}/{path}": data})
    lay(tmp_path, {each: content for each, content in files.items() if data or each != f"{folder}/{path}"})
    with pytest.raises(DataError, match=message) as caught:
        load_dataset(name)
    assert caught.value.where and caught.value.hint


def test_class_names_of_a_npz_are_no_numbers(tmp_path: Path) -> None:
    x, y = np.zeros((4, 39, 13), np.float32), np.array(["1", "2", "3", "4"])
    np.savez(tmp_path / "spoken_digits.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    with pytest.raises(DataError, match="labels of train hold text, not numbers") as caught:
        load_dataset("spoken_digits")
    assert caught.value.hint == "number the classes 0, 1, 2, .."


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("spoken_digits", "this is not 'spoken_digits': it has no train samples"),
        ("gtsrb", "0 photographs to learn from, 0 to test"),
        ("speech_commands", "there is no 'testing_list.txt'"),
    ],
)
def test_a_folder_of_another_set(name: str, message: str, tmp_path: Path) -> None:
    for folder in ROOMS[name].PUBLICATION.folders:
        lay(tmp_path, {f"{folder}/walking/readings.txt": b"1 2 3"})
    with pytest.raises(DataError, match=message) as caught:
        load_dataset(name)
    assert caught.value.hint


def test_part_of_the_training_samples_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with_archives(monkeypatch, "gtsrb", [b"", b"", b""])
    lay(tmp_path, signs())
    whole = small_set("gtsrb")
    arrays = {
        "x_train": whole.x_train[::2],
        "y_train": whole.y_train[::2],
        "x_test": whole.x_test,
        "y_test": whole.y_test,
    }
    np.savez(tmp_path / "gtsrb.npz", **arrays)
    assert load_dataset("gtsrb").notes == ("43 of the publisher's 86 training samples",)
    np.savez(tmp_path / "gtsrb.npz", **(arrays | {"groups_train": np.arange(7)}))
    with pytest.raises(DataError, match="'groups_train' has shape"):
        load_dataset("gtsrb")


@pytest.mark.parametrize("name", MADE)
def test_the_real_data(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    if not (REAL / f"{name}.npz").is_file():
        pytest.skip("MCUSIM_DATA_DIR names no folder with the real data")
    dataset = load_dataset(name)
    assert dataset.groups_train is not None and dataset.shape == ROOMS[name].PUBLICATION.shape
