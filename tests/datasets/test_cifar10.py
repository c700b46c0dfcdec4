"""CIFAR-10 from each of its sources, in a small set of the same layout; the real one where `MCUSIM_DATA_DIR` has it."""

from __future__ import annotations

import hashlib
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mcusim.datasets import cifar10, load_dataset
from mcusim.datasets.published import Archive
from mcusim.system.errors import DataError
from tests.datasets.test_members import tarred
from tests.server import Server
from tests.server import server as server  # noqa: PLC0414  (a fixture)

REAL = Path(os.environ.get("MCUSIM_DATA_DIR", "/nowhere"), "cifar10.npz").is_file()


def record(label: int) -> bytes:
    """Red is the row, green the column, blue the label."""
    row, column = np.mgrid[:32, :32]
    return bytes([label]) + np.stack([row, column, np.full((32, 32), label)]).astype(np.uint8).tobytes()


FILES = {f"cifar-10-batches-bin/{name}": record(2 * at) + record(2 * at + 1) for at, name in enumerate(cifar10.TRAIN)}
FILES |= {"cifar-10-batches-bin/test_batch.bin": b"".join(map(record, range(10)))}
ARCHIVE = tarred(FILES)


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """One sample of each class to learn from and one to test, of which no copy is here."""
    digest = hashlib.sha256(ARCHIVE).hexdigest()
    archives = (Archive("cifar-10-binary.tar.gz", digest, None),)
    known = {"train": (1,) * 10, "test": (1,) * 10}
    monkeypatch.setattr(cifar10, "PUBLICATION", replace(cifar10.PUBLICATION, archives=archives, versions=(known,)))
    monkeypatch.setattr("mcusim.system.download.FIRST_PAUSE_S", 0.0)
    monkeypatch.setenv("MCUSIM_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("MCUSIM_DATA_DIR", str(tmp_path))


def lay(folder: Path, files: dict[str, bytes]) -> None:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)


def assert_is_small_set() -> None:
    dataset = load_dataset("cifar10")
    for x, y in ((dataset.x_train, dataset.y_train), (dataset.x_test, dataset.y_test)):
        assert x is not None and y is not None and x.shape == (10, 32, 32, 3) and x.dtype == np.float32
        assert y.tolist() == list(range(10)) and x[7, 3, 9].tolist() == [3, 9, 7]
    assert dataset.classes_of()[9] == "truck"


def test_from_the_publisher_once(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    server.content = ARCHIVE
    monkeypatch.setenv("MCUSIM_CIFAR10_URL", server.url + "/")
    assert_is_small_set()
    assert_is_small_set()
    assert server.paths == ["/data.zip/cifar-10-binary.tar.gz"], "the second time comes from the cache"


def test_a_broken_download_goes_on(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcusim.system.download.PIECE_BYTES", 50)
    server.content, server.cut = ARCHIVE, [100, len(ARCHIVE)]
    monkeypatch.setenv("MCUSIM_CIFAR10_URL", server.url)
    assert_is_small_set()
    assert server.ranges == [None, "bytes=100-"]


def test_no_network_and_another_file(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCUSIM_CIFAR10_URL", server.url)
    with pytest.raises(DataError, match="another checksum"):
        load_dataset("cifar10")
    monkeypatch.setenv("MCUSIM_CIFAR10_URL", "http://127.0.0.1:9/")
    with pytest.raises(DataError, match="no connection") as caught:
        load_dataset("cifar10")
    assert "'cifar-10-binary.tar.gz'" in str(caught.value.hint) and "MCUSIM_DATA_DIR" in str(caught.value.hint)


def test_copies_in_a_folder(tmp_path: Path) -> None:
    archive = tmp_path / "cifar-10-binary.tar.gz"
    archive.write_bytes(ARCHIVE)
    assert_is_small_set()
    archive.write_bytes(ARCHIVE + b" ")
    with pytest.raises(DataError, match="another checksum"):
        load_dataset("cifar10")
    lay(tmp_path, FILES)
    assert_is_small_set()
    dataset = load_dataset("cifar10")
    arrays = {name: getattr(dataset, name).astype(np.uint8) for name in ("x_train", "y_train", "x_test", "y_test")}
    np.savez(tmp_path / "cifar10.npz", **arrays)
    (tmp_path / "cifar-10-batches-bin" / "test_batch.bin").unlink()
    assert_is_small_set()


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("data_batch_3.bin", None, r"damaged or missing.*data_batch_3"),
        ("data_batch_3.bin", record(4), "this is not 'cifar10'"),
        ("data_batch_3.bin", record(4) + record(5)[:-1], "damaged.*data_batch_3.bin' is cut off"),
        ("data_batch_3.bin", record(4) + record(77), "label 77"),
        ("test_batch.bin", b"", "it has no test samples"),
    ],
)
def test_damaged_content(tmp_path: Path, name: str, data: bytes | None, message: str) -> None:
    lay(tmp_path, FILES | ({} if data is None else {f"cifar-10-batches-bin/{name}": data}))
    if data is None:
        (tmp_path / "cifar-10-batches-bin" / name).unlink()
    with pytest.raises(DataError, match=message) as caught:
        load_dataset("cifar10")
    assert caught.value.where and caught.value.hint


def test_another_data_set_under_its_name(tmp_path: Path) -> None:
    x, y = np.zeros((10, 8, 8, 1), np.float32), np.arange(10)
    np.savez(tmp_path / "cifar10.npz", x_train=x, y_train=y, x_test=x, y_test=y)
    with pytest.raises(DataError, match="this is not 'cifar10'"):
        load_dataset("cifar10")


@pytest.mark.skipif(not REAL, reason="MCUSIM_DATA_DIR names no folder with the real data")
def test_the_real_data(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    dataset = cifar10.load()
    assert dataset.x_train is not None and dataset.x_train.shape == (50_000, 32, 32, 3)
    assert dataset.x_test[:4].mean().round() == 138, "a cat, two ships and an airplane"
