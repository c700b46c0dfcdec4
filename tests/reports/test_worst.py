"""The samples on the page that are answered worst: with pictures, or with a line that tells why there are none."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mcusim.line.pictured import keep
from mcusim.line.score import OutputFigures, WorstSample
from mcusim.reports.html.page import LARGEST_BYTES
from mcusim.reports.html.worst import png, worst
from mcusim.reports.report import Report
from mcusim.reports.to_html import render, render_from
from tests.reports.pages import PAYLOADS, Page, demand_nothing_is_run_or_fetched
from tests.reports.reports import full_report, good_run

RANDOM = np.random.default_rng(3)
WORST = (WorstSample(3, "walk", "sit", 2.125), WorstSample(0, "sit", "walk", 0.5))


def report_of(*samples: WorstSample) -> Report:
    return replace(full_report(), runs=(replace(good_run(), worst=samples),), checks=())


@pytest.mark.parametrize("colours", [1, 3])
def test_a_png_holds_the_pixels(colours: int) -> None:
    """Chunks: size, name, data, checksum of both (ISO/IEC 15948)."""
    pixels = RANDOM.integers(0, 256, (5, 7, colours), np.uint8)
    data = png(pixels)
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    chunks, at = {}, 8
    while at < len(data):
        size, name = struct.unpack_from(">I4s", data, at)
        chunks[name] = data[at + 8 : at + 8 + size]
        assert struct.unpack_from(">I", data, at + 8 + size)[0] == zlib.crc32(name + chunks[name])
        at += 12 + size
    assert [*chunks] == [b"IHDR", b"IDAT", b"IEND"]
    assert struct.unpack(">IIBBBBB", chunks[b"IHDR"]) == (7, 5, 8, {1: 0, 3: 2}[colours], 0, 0, 0)
    lines = np.frombuffer(zlib.decompress(chunks[b"IDAT"]), np.uint8).reshape(5, 1 + 7 * colours)
    assert not lines[:, 0].any()
    np.testing.assert_array_equal(lines[:, 1:].reshape(pixels.shape), pixels)


@pytest.mark.usefixtures("drawn")
def test_images_and_signals_are_shown(tmp_path: Path) -> None:
    run, bare = good_run(), [name for name, _ in Page(render(report_of(*WORST))).elements]
    for x, tag in ((RANDOM.random((5, 8, 8, 3)), "img"), (RANDOM.normal(size=(5, 50, 3)), "svg")):
        keep(tmp_path / run.id, x, [0, 3])
        text = render_from(report_of(*WORST), tmp_path)
        demand_nothing_is_run_or_fetched(text)
        page = Page(text)
        assert [name for name, _ in page.elements].count(tag) == bare.count(tag) + 2
        assert "sample 3: walk, answered sit" in page.text and "2.125" in page.text
        assert "samples.json is not beside the report" not in page.text


@pytest.mark.usefixtures("drawn")
def test_without_pictures_it_tells_what_is_missing(tmp_path: Path) -> None:
    told = "cnn-int8-nucleo_l452re_p/samples.json is not beside the report"
    for text in (render(report_of(*WORST)), render_from(report_of(*WORST), tmp_path)):
        page = Page(text)
        assert told in page.text and "2.125" in page.text and not [one for one in page.elements if one[0] == "img"]
    keep(tmp_path / good_run().id, RANDOM.random((5, 8, 8, 1)), [3])
    assert "1 of them have no picture" in Page(render_from(report_of(*WORST), tmp_path)).text


@pytest.mark.usefixtures("drawn")
@pytest.mark.parametrize("payload", PAYLOADS[:5])
def test_no_name_of_a_class_or_an_input_makes_an_element(tmp_path: Path, payload: str) -> None:
    pages = []
    for name in ("plain", payload):
        x = np.zeros(5, [(name, "f4", (8, 8)), (f"{name}2", "f4", (9, 2))])
        keep(tmp_path / good_run().id, x, [3])
        pages.append(Page(render_from(report_of(WorstSample(3, name, name, 1.0)), tmp_path)))
    assert pages[0].elements == pages[1].elements and payload[:12] in pages[1].text


@pytest.mark.usefixtures("drawn")
def test_images_that_do_not_fit_are_cut_and_told(tmp_path: Path) -> None:
    """Noise, which no compression makes smaller: 12 runs share the images of a page."""
    samples = tuple(WorstSample(number, "walk", "sit", 1.0) for number in range(12))
    runs = tuple(replace(good_run(), id=f"r{number}", worst=samples) for number in range(12))
    x = RANDOM.random((12, 64, 64, 3))
    for run in runs:
        keep(tmp_path / run.id, x, range(12))
    text = render_from(replace(full_report(), runs=runs, checks=()), tmp_path)
    assert len(text.encode()) <= LARGEST_BYTES
    assert text.count("<img") == 12 and "1 of 12 samples are shown: report.json has all" in text


def test_a_run_whose_name_leads_elsewhere_is_not_followed(tmp_path: Path) -> None:
    keep(tmp_path / "x", RANDOM.random((5, 8, 8, 1)), [3])
    (tmp_path / "in").mkdir()
    [found] = worst(replace(good_run(), id="../x", worst=WORST), tmp_path / "in", 12)
    assert not found.pictures and "is not beside the report" in found.missing


def test_each_output_has_its_own() -> None:
    outputs = tuple(
        OutputFigures(name, "classification", 0.5, {}, 0, 0.0, None, worst=some)
        for name, some in (("a", WORST), ("b", ()), ("c", WORST[:1]))
    )
    found = worst(replace(good_run(), outputs=outputs), None, 1)
    assert [(one.output, len(one.samples)) for one in found] == [("a", 1), ("c", 1)]
