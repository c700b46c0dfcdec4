"""Samples in the folder of a run: what they become, and that nothing in such a file is believed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcusim.line.pictured import FILE, keep, kept, pictured
from mcusim.system.records import records_of

RANDOM = np.random.default_rng(3)


@pytest.mark.parametrize(
    ("shape", "kind", "shown"),
    [
        ((8, 8, 1), "image", (8, 8, 1)),
        ((32, 32, 3), "image", (32, 32, 3)),
        ((1, 32, 32, 3), "image", (32, 32, 3)),
        ((130, 65, 3), "image", (43, 21, 3)),
        ((28, 28), "image", (28, 28, 1)),
        ((49, 10, 1), "image", (49, 10, 1)),
        ((128, 9), "signal", (128, 9)),
        ((1, 128, 9), "signal", (128, 9)),
        ((1000, 1), "signal", (250, 1)),
        ((257,), "signal", (129, 1)),
        ((8, 8, 4), None, None),
        ((2000, 14), None, None),
        ((), None, None),
    ],
)
def test_what_a_sample_is_shown_as(shape: tuple[int, ...], kind: str | None, shown: Any) -> None:
    part = pictured("x", RANDOM.normal(size=shape))
    assert (part.kind if part else None, part.values.shape if part else None) == (kind, shown)


def test_pixels_keep_what_is_black_and_white() -> None:
    def ends(x: np.ndarray) -> tuple[int, int]:
        part = pictured("", x)
        assert part
        return int(part.values.min()), int(part.values.max())

    ramp = np.linspace(0, 1, 64).reshape(8, 8, 1)
    assert ends(np.full((8, 8, 1), 51, np.uint8)) == (51, 51)
    assert ends(ramp * 0.6) == (0, 153)
    assert ends(ramp * 16 - 8) == (0, 255)
    assert ends(np.where(ramp > 0.5, np.nan, 3.0)) == (0, 255)
    assert ends(np.zeros((8, 8, 1))) == (0, 0)


def test_a_pixel_is_the_mean_of_those_it_stands_for() -> None:
    part = pictured("", np.tile(np.array([[0, 200], [100, 100]], np.uint8), (64, 64)).reshape(128, 128, 1))
    assert part and part.values.shape == (64, 64, 1) and (part.values == 100).all()


def test_what_is_kept_is_read_again_by_sample(tmp_path: Path) -> None:
    x = records_of({"image": RANDOM.random((5, 6, 6, 1)), "signal": RANDOM.normal(size=(5, 7, 2)).astype(np.float32)})
    keep(tmp_path, x, [4, 1, 4])
    found = kept(tmp_path)
    assert sorted(found) == [1, 4]
    image, signal = found[4]
    assert (image.name, image.kind, signal.name) == ("image", "image", "signal")
    np.testing.assert_array_equal(signal.values, x["signal"][4])
    keep(tmp_path, x, [])
    assert not (tmp_path / FILE).exists() and kept(tmp_path) == {}


@pytest.mark.parametrize(
    "part",
    [
        {"kind": "image", "shape": [2, 2, 1], "values": "AA=="},
        {"kind": "image", "shape": [65, 1, 1], "values": "A" * 88},
        {"kind": "image", "shape": [-1, -4, 1], "values": "AAAAAA=="},
        {"kind": "signal", "shape": [1e300, 1], "values": ""},
        {"kind": "signal", "shape": [1, 1], "values": "AAAAAA"},
        {"kind": "video", "shape": [1, 1, 1], "values": "AA=="},
        {"kind": "image", "shape": "abc", "values": "AA=="},
        [],
        7,
    ],
)
def test_nothing_in_the_file_is_believed(tmp_path: Path, part: Any) -> None:
    good = {"name": "", "kind": "image", "shape": [1, 1, 1], "values": "AA=="}
    told = {**good, **part} if isinstance(part, dict) else part
    document = {"format": 1, "samples": [{"sample": 1, "parts": [told]}]}
    (tmp_path / FILE).write_text(json.dumps(document))
    assert not any(kept(tmp_path).values())


@pytest.mark.parametrize("text", ["", "[]", '{"samples": 3}', '{"samples": [3]}', "[" * 100_000, "\x00"])
def test_what_is_no_such_file_holds_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / FILE).write_text(text)
    assert kept(tmp_path) == {}
