"""Entries of a `.keras` file are replaced whole or not at all; what older Keras refuses is taken out."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from mcusim.system.errors import ConfigurationError, DataError
from mcusim.training.keras_archive import make_portable, replace_entries


def write(path: Path, **entries: object) -> Path:
    with zipfile.ZipFile(path, "w") as archive:
        for name, values in entries.items():
            archive.writestr(name.replace("_json", ".json"), json.dumps(values))
    return path


def read(path: Path) -> dict[str, object]:
    with zipfile.ZipFile(path) as archive:
        return {name: json.loads(archive.read(name)) for name in archive.namelist()}


def test_entries_are_replaced_added_and_kept(tmp_path: Path) -> None:
    path = write(tmp_path / "m.keras", a=1, b=2)
    replace_entries(path, {"b": b"3", "c": b"4"})
    assert read(path) == {"a": 1, "b": 3, "c": 4}
    assert [file.name for file in tmp_path.iterdir()] == ["m.keras"]


def test_the_same_content_gives_the_same_bytes(tmp_path: Path) -> None:
    first, second = write(tmp_path / "1.keras", a=1), write(tmp_path / "2.keras", a=2)
    replace_entries(first, {"a": b"5"})
    replace_entries(second, {"a": b"5"})
    assert first.read_bytes() == second.read_bytes()


def test_unset_novelties_and_addresses_leave_the_description(tmp_path: Path) -> None:
    dense = {"units": 3, "quantization_config": None, "bias_regularizer": None, "dtype": {"shared_object_id": 14}}
    conv = {"kernel_initializer": {"seed": None, "input_axes": None, "output_axes": [1]}}
    path = write(tmp_path / "m.keras", config_json={"layers": [dense, conv]}, metadata_json={"date_saved": "today"})
    make_portable(path)
    assert read(path)["config.json"] == {
        "layers": [
            {"units": 3, "bias_regularizer": None, "dtype": {}},
            {"kernel_initializer": {"seed": None, "output_axes": [1]}},
        ]
    }
    assert "today" not in str(read(path)["metadata.json"])


def test_a_file_that_is_none_and_one_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "text.keras").write_text("no zip")
    with pytest.raises(DataError, match=r"no \.keras file"):
        replace_entries(tmp_path / "text.keras", {})
    with pytest.raises(ConfigurationError, match="cannot write"):
        replace_entries(tmp_path / "missing.keras", {})
    assert (tmp_path / "text.keras").read_text() == "no zip"
