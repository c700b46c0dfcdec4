"""UCI-HAR from each of its sources, in a small set of the same layout; the real one where `MCUSIM_DATA_DIR` has it."""

from __future__ import annotations

import hashlib
import io
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from mcusim.datasets import load_dataset, uci_har
from mcusim.system.cache import cache_folder
from mcusim.system.errors import DataError
from tests.server import Server
from tests.server import server as server  # noqa: PLC0414  (a fixture)

REAL = os.environ.get("MCUSIM_DATA_DIR", "")
COUNTS = {"train": (2, 1, 1, 1, 1, 1), "test": (1, 1, 1, 1, 1, 1)}
Files = dict[str, bytes]


@pytest.fixture
def files(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Files:
    """The text files of a data set of 7 + 6 windows. A value tells its channel and window: `<channel>.<window>`."""
    monkeypatch.setattr(uci_har, "CLASS_COUNTS", COUNTS)
    monkeypatch.setenv("MCUSIM_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.delenv("MCUSIM_DATA_DIR", raising=False)
    monkeypatch.delenv("MCUSIM_UCI_HAR_URL", raising=False)
    written: Files = {}
    for part, counts in COUNTS.items():
        for number, channel in enumerate(uci_har.CHANNELS):
            rows = [f"  {number}.{window}" * 128 + "\n" for window in range(sum(counts))]
            written[f"UCI HAR Dataset/{part}/Inertial Signals/{channel}_{part}.txt"] = "".join(rows).encode()
        labels = [label for label, count in enumerate(counts, start=1) for _ in range(count)]
        written[f"UCI HAR Dataset/{part}/y_{part}.txt"] = "\n".join(map(str, labels)).encode()
        written[f"UCI HAR Dataset/{part}/subject_{part}.txt"] = b"1\n" * sum(counts)
    return written


def archive(files: Files) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as packed:
        for name, text in files.items():
            packed.writestr(name, text)
    return content.getvalue()


def wrapped(files: Files) -> bytes:
    return archive({"UCI HAR Dataset.names": b"notes", "UCI HAR Dataset.zip": archive(files)})


def lay(folder: Path, files: Files) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(text)


def assert_is_small_set() -> None:
    dataset = uci_har.load()
    assert dataset.x_train.shape == (7, 128, 9) and dataset.x_test.shape == (6, 128, 9)
    assert dataset.x_train.dtype == np.float32
    expected = np.array([[float(f"{channel}.{window}") for channel in range(9)] for window in range(7)], np.float32)
    np.testing.assert_array_equal(dataset.x_train[:, 77, :], expected)
    assert dataset.y_train.tolist() == [0, 0, 1, 2, 3, 4, 5] and dataset.y_train.dtype == np.int64
    assert dataset.groups_train is not None and set(dataset.groups_train) == {1}
    assert dataset.classes_of()[0] == "walking" and dataset.classes_of()[5] == "laying"


def test_extracted_folder(files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay(tmp_path, files)
    monkeypatch.setenv("MCUSIM_DATA_DIR", str(tmp_path))
    assert_is_small_set()


@pytest.mark.parametrize("inner", [True, False])
def test_publishers_zip_put_by_hand(files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inner: bool) -> None:
    name, content = ("INNER", archive(files)) if inner else ("ARCHIVE", wrapped(files))
    monkeypatch.setattr(uci_har, f"{name}_SHA256", hashlib.sha256(content).hexdigest())
    monkeypatch.setenv("MCUSIM_DATA_DIR", str(tmp_path))
    path = tmp_path / (uci_har.INNER_ARCHIVE if inner else uci_har.ARCHIVE)
    path.write_bytes(content)
    assert_is_small_set()
    path.write_bytes(content + b" ")
    with pytest.raises(DataError, match="another checksum"):
        uci_har.load()


def save(folder: Path, **changes: object) -> None:
    """The set as an .npz file, with these arrays in place of its own; None for none."""
    parsed = uci_har.load()
    arrays = {
        "x_train": parsed.x_train,
        "y_train": parsed.y_train.astype(np.int8),
        "subject_train": parsed.groups_train,
        "x_test": parsed.x_test,
        "y_test": parsed.y_test,
        **changes,
    }
    np.savez(folder / "uci_har.npz", **{name: one for name, one in arrays.items() if one is not None})  # type: ignore[arg-type]
    (folder / "UCI HAR Dataset").rename(folder / "elsewhere")


def test_npz(files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay(tmp_path, files)
    monkeypatch.setenv("MCUSIM_DATA_DIR", str(tmp_path))
    save(tmp_path)
    assert_is_small_set()


@pytest.mark.parametrize("name", ["subject_train", "groups_train"])
def test_people_of_a_npz(name: str, files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """By whatever word: windows of one person overlap, and are held out together."""
    lay(tmp_path, files)
    monkeypatch.setenv("MCUSIM_DATA_DIR", str(tmp_path))
    people = uci_har.load().groups_train
    assert people is not None
    save(tmp_path, **({"subject_train": None} | {name: people}))
    found = uci_har.load().groups_train
    assert found is not None and found.tolist() == people.tolist()
    (tmp_path / "elsewhere").rename(tmp_path / "UCI HAR Dataset")
    (tmp_path / "uci_har.npz").unlink()
    save(tmp_path, **({"subject_train": None} | {name: people[:-1]}))
    with pytest.raises(DataError, match=f"'{name}' has shape"):
        uci_har.load()


def test_npz_without_people_or_with_too_few(files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCUSIM_DATA_DIR", str(tmp_path))
    lay(tmp_path, files)
    save(tmp_path, subject_train=np.ones(6))
    with pytest.raises(DataError, match=r"'subject_train' has shape \(6,\)"):
        uci_har.load()
    (tmp_path / "elsewhere").rename(tmp_path / "UCI HAR Dataset")
    (tmp_path / "uci_har.npz").unlink()
    save(tmp_path, subject_train=None)
    assert uci_har.load().groups_train is None


def test_download(files: Files, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.content = wrapped(files)
    monkeypatch.setattr(uci_har, "ARCHIVE_SHA256", hashlib.sha256(server.content).hexdigest())
    monkeypatch.setenv("MCUSIM_UCI_HAR_URL", server.url)
    told: list[tuple[int, int]] = []
    load_dataset("uci_har", progress=lambda *at: told.append(at))
    assert told[-1] == (len(server.content), len(server.content))
    assert_is_small_set()
    assert len(server.ranges) == 1, "the second time comes from the cache"
    assert (cache_folder() / uci_har.ARCHIVE).is_file()


def test_a_data_folder_without_this_set_leads_to_the_publisher(
    files: Files,
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server.content = wrapped(files)
    monkeypatch.setattr(uci_har, "ARCHIVE_SHA256", hashlib.sha256(server.content).hexdigest())
    monkeypatch.setenv("MCUSIM_UCI_HAR_URL", server.url)
    monkeypatch.setenv("MCUSIM_DATA_DIR", str(tmp_path))
    assert_is_small_set()


def test_without_a_network_it_says_what_to_do(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcusim.system.download.FIRST_PAUSE_S", 0.0)
    monkeypatch.setenv("MCUSIM_UCI_HAR_URL", "http://127.0.0.1:9/no.zip")
    with pytest.raises(DataError, match="no connection") as caught:
        uci_har.load()
    assert "MCUSIM_DATA_DIR" in str(caught.value.hint)


def test_a_data_dir_that_is_none(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCUSIM_DATA_DIR", "/nowhere/at/all")
    with pytest.raises(DataError, match="'/nowhere/at/all', which is no folder"):
        uci_har.load()


SIGNAL = "UCI HAR Dataset/test/Inertial Signals/body_gyro_y_test.txt"
LABELS = "UCI HAR Dataset/train/y_train.txt"


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        (SIGNAL, None, "a file of the data set is missing.*body_gyro_y_test"),
        (SIGNAL, b"1.0 " * 100, "damaged.*body_gyro_y_test.txt' holds 100 numbers"),
        (
            SIGNAL,
            b"1.0 " * 128 * 5 + b"oops " * 128,
            "body_gyro_y_test.txt' holds something that is no number",
        ),
        (SIGNAL, b"1,0 " * 128 * 6, "body_gyro_y_test.txt' holds something that is no number"),
        (LABELS, b"1\n1\n2\n3\n4\n5\n6.7\n", "y_train.txt' holds something that is no whole number"),
        (LABELS, b"1\n1\n2\n3\n4\n5\nnan\n", "y_train.txt' holds something that is no whole number"),
        (SIGNAL, b"nan " * 128 * 6, "NaN"),
        (LABELS, b"1\n1\n2\n3\n4\n5\n5\n", "this is not UCI-HAR"),
        (LABELS, b"1\n1\n2\n3\n4\n5\n0\n", "label -1"),
        (LABELS, b"", "shape"),
    ],
)
def test_damaged_content(
    files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: bytes | None, message: str
) -> None:
    lay(tmp_path, {**files, name: text or b""})
    if text is None:
        (tmp_path / name).unlink()
    monkeypatch.setenv("MCUSIM_DATA_DIR", str(tmp_path))
    with pytest.raises(DataError, match=message) as caught:
        uci_har.load()
    assert caught.value.where and caught.value.hint


def test_another_data_set_under_its_name(files: Files, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    x, y = np.zeros((4, 10, 2), np.float32), np.array([0, 1, 2, 3])
    np.savez(tmp_path / "uci_har.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    monkeypatch.setenv("MCUSIM_DATA_DIR", str(tmp_path))
    with pytest.raises(DataError, match="this is not UCI-HAR"):
        uci_har.load()


@pytest.mark.skipif(not REAL, reason="MCUSIM_DATA_DIR names no folder with the real data")
def test_the_real_data() -> None:
    dataset = uci_har.load()
    assert dataset.x_train.shape == (7352, 128, 9) and dataset.x_test.shape == (2947, 128, 9)
    assert dataset.groups_train is not None and len(set(dataset.groups_train.tolist())) == 21
    # Gravity is in the total acceleration (g) of someone who stands, along x; it is taken out of body_acc.
    standing = dataset.x_train[dataset.y_train == 4].mean(axis=(0, 1))
    assert 0.9 < standing[0] < 1.1 and abs(standing[6]) < 0.05
