"""`mcusim.json` inside a `.keras` file."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from mcusim.datasets import Normalization
from mcusim.system.errors import ConfigurationError, DataError
from mcusim.training.normalization_file import load_normalization, load_record, save_normalization

STATISTICS = Normalization((0.1, -2.0), (1.5, 3e-7))


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w") as file:
        file.writestr("config.json", "{}")
        file.writestr("model.weights.h5", bytes(range(256)))
    return path


def test_written_read_and_replaced(archive: Path) -> None:
    assert load_normalization(archive) is None
    save_normalization(archive, Normalization((0.0,), (1.0,)))
    save_normalization(archive, STATISTICS, {"seed": 3})
    assert load_normalization(archive) == STATISTICS
    assert load_record(archive)["made"] == {"seed": 3}
    with zipfile.ZipFile(archive) as file:
        assert sorted(file.namelist()) == ["config.json", "mcusim.json", "model.weights.h5"]
        assert file.read("model.weights.h5") == bytes(range(256))


def test_a_model_may_have_none(archive: Path) -> None:
    save_normalization(archive, None, {"seed": 3})
    assert load_normalization(archive) is None


def test_other_files_have_none(tmp_path: Path) -> None:
    (tmp_path / "model.h5").write_bytes(b"\x89HDF\r\n")
    assert load_normalization(tmp_path / "model.h5") is None
    assert load_normalization(tmp_path / "missing.keras") is None


@pytest.mark.parametrize(
    "text",
    ['{"normalization": {"mean": [1], "std": [0]}}', '{"normalization": 3}', "{", "[" * 100_000, "\xff", "9" * 2**21],
)
def test_a_hostile_entry_is_an_error(archive: Path, text: str) -> None:
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr("mcusim.json", text.encode("latin-1"))
    with pytest.raises(DataError) as caught:
        load_normalization(archive)
    assert caught.value.hint and str(archive) in str(caught.value.where)


def test_an_entry_of_another_kind_is_none(archive: Path) -> None:
    with zipfile.ZipFile(archive, "a") as file:
        file.writestr("mcusim.json", "[1, 2]")
    assert load_normalization(archive) is None


def test_writing_into_something_else(tmp_path: Path) -> None:
    (tmp_path / "model.keras").write_text("no zip")
    with pytest.raises(DataError, match=r"no \.keras file"):
        save_normalization(tmp_path / "model.keras", STATISTICS)
    with pytest.raises(ConfigurationError, match="cannot write"):
        save_normalization(tmp_path / "nothing.keras", STATISTICS)
    assert [file.name for file in tmp_path.iterdir()] == ["model.keras"]
