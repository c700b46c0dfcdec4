"""Files that are not what their names say: a download gone wrong, a model under another name."""

from __future__ import annotations

import gzip
import io
import zipfile
from pathlib import Path

import pytest

from mcusim.models import SUFFIXES, is_model, may_hold_integers, read_model
from mcusim.models.contents import KERAS
from mcusim.models.keras import reader as keras
from mcusim.system.errors import ModelError
from tests.tflite_files import dense_file

LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 12345\n"
PAGE = b"\n<!DOCTYPE html>\n<html><head><title>model.tflite at main</title></head></html>"
MODEL = dense_file()


def zipped(name: str = "a.txt") -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, b"x")
    return file.getvalue()


NEVER = {  # a model, of whatever format
    b"": ("is empty", "fetch it again"),
    LFS: ("is a pointer of Git LFS", "git lfs pull"),
    PAGE: ("is a web page", "fetch it again"),
    b"<?xml version='1.0'?><Error><Code>AccessDenied</Code></Error>": ("is a web page", "fetch it again"),
    gzip.compress(b"x"): ("is a gzip archive", "unpack it"),
}


@pytest.mark.parametrize("suffix", [*SUFFIXES, ".bin", ".TFLITE", ""])
@pytest.mark.parametrize("data", NEVER)
def test_what_is_no_model_is_told_what_it_is(suffix: str, data: bytes, tmp_path: Path) -> None:
    path = tmp_path / f"m{suffix}"
    path.write_bytes(data)
    what, hint = NEVER[data]
    with pytest.raises(ModelError) as caught:
        read_model(path, "m")
    assert caught.value.what.startswith(f"'m{suffix}' {what}") and caught.value.where == str(path)
    assert hint in (caught.value.hint or "")


@pytest.mark.parametrize(
    ("name", "data", "what", "hint"),
    [
        ("m.tflite", zipped(), "is a zip archive", "unpack it"),
        ("m.onnx", zipped(), "is a zip archive", "unpack it"),
        ("m.tflite", b'{"message": "Not Found"}', "is a text of JSON", "fetch it again"),
        ("m.pt2", b'[{"message": "Not Found"}]', "is a text of JSON", "fetch it again"),
        ("m.bin", MODEL, "is a TFLite model", "call it m.tflite"),
        ("model", MODEL, "is a TFLite model", "call it model.tflite"),
        ("m.keras", MODEL, "is a TFLite model", "call it m.tflite"),
        ("{0}.bin", MODEL, "is a TFLite model", "call it {0}.tflite"),
        ("m.onnx", b"\x89HDF\r\n\x1a\n rest", "is an HDF5 file", "call it m.h5"),
        ("m.tflite", MODEL[: len(MODEL) // 2], "no readable TFLite model", "it may be cut off"),
        ("m.keras", zipped(), "it has no 'config.json'", "save it again"),
        ("m.pt2", zipped(), "it holds no graph", "save it again"),
        ("m.bin", b"\x01\x02\x03\x04", "is no model of a known format", "known are"),
    ],
)
def test_what_has_another_name_is_told_its_own(name: str, data: bytes, what: str, hint: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ModelError) as caught:
        read_model(tmp_path / name, "m")
    assert what in caught.value.what and hint in (caught.value.hint or "")


def test_suffixes_in_capitals_are_the_same(tmp_path: Path) -> None:
    path = tmp_path / "MODEL.TFLITE"
    path.write_bytes(MODEL)
    assert read_model(path, "m").graph and is_model(path) and may_hold_integers(path)
    assert is_model(Path("x.Keras")) and not may_hold_integers(Path("x.KERAS"))


def test_the_suffixes_of_keras_are_known() -> None:
    assert KERAS == keras.SUFFIXES
