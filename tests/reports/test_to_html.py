"""HTML: one file that needs nothing else, whose elements are those of its template whatever a name holds."""

from __future__ import annotations

import dataclasses
import hashlib
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcusim.commands import cli
from mcusim.line.measure import LayerRange
from mcusim.line.score import WorstSample
from mcusim.reports.figures import FIGURES
from mcusim.reports.html import rom
from mcusim.reports.html.front import points
from mcusim.reports.html.page import LARGEST_BYTES
from mcusim.reports.report import Check, Report, Run
from mcusim.reports.to_html import render, render_from
from mcusim.system.elf import ElfFile, Symbol
from mcusim.system.errors import MissingToolError
from mcusim.tasks.task import ClassScores
from mcusim.timing.stacks import STACKS, Stack, save
from tests.reports.pages import PAYLOADS, Page, demand_nothing_is_run_or_fetched, demand_pictures_of_the_page
from tests.reports.reports import empty_report, full_report, good_run, hostile_report, timed


def named(value: Any, name: str) -> Any:
    """The same with this name instead of every other, but for the run's identity and what decides how it is shown."""
    kept = ("id", "run", "task", "key", "against")
    if isinstance(value, str):
        return name
    if isinstance(value, tuple):
        return tuple(named(one, name) for one in value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value) if field.init}
        return dataclasses.replace(
            value, **{key: one if key in kept else named(one, name) for key, one in fields.items()}
        )
    return value


def whole_report() -> Report:
    run = timed(good_run())
    layers = tuple(
        dataclasses.replace(one, cycles=1e6, cycles_per_mac=3.5, share=0.5, code_bytes=1234, weight_bytes=56_789)
        for one in run.layers
    )
    classes = tuple(ClassScores(name, 2047, 0.9, 0.9, 0.9) for name in ("walk", "sit"))
    worst = (WorstSample(3, "walk", "sit", 2.5),)
    ranges = (LayerRange("conv1", -1.5, 7.25, -8.0, 7.9375, 0.0125, 31.25), LayerRange("x", *(None,) * 6))
    run = dataclasses.replace(run, id="whole", layers=layers, classes=classes, worst=worst, quantized=ranges)
    report = full_report()
    return dataclasses.replace(report, runs=(*report.runs, run))


def left_by_runs(report: Report, folder: Path, name: str) -> Report:
    """The report, and beside it what its runs keep: names of functions and files, a firmware."""
    for run in report.runs:
        cycles = run.cycles.mean / 2 if run.cycles else 0.0
        found = [Stack(("cnn", f"layer_{name}"), cycles, (name, 7)), Stack(("cnn", f"layer_{name}", name), cycles)]
        (folder / run.id / "build").mkdir(parents=True)
        (folder / run.id / "build" / "firmware.elf").touch()
        save(found, folder / run.id / STACKS)
    sha256 = hashlib.sha256(b"").hexdigest()
    return dataclasses.replace(report, runs=tuple(dataclasses.replace(run, elf_sha256=sha256) for run in report.runs))


def firmware(name: str) -> ElfFile:
    """Of a run of 24,000 bytes, 4,000 of these weights, whose symbols have that name."""
    symbols = {
        f"layer_{name}": Symbol(0, 20_000, "function", ".model"),
        f"layer_{name}_{name}": Symbol(20_000, 4_000, "object", ".weights"),
    }
    return ElfFile({".model": 20_000, ".weights": 4_000}, symbols, (), "")


def page_of(name: str) -> str:
    """A whole run and a failed one, all whose names are this one."""
    report = whole_report()
    report = dataclasses.replace(report, runs=report.runs[-2:], checks=report.checks[-1:])
    with tempfile.TemporaryDirectory() as folder, pytest.MonkeyPatch.context() as patch:
        patch.setattr(rom, "read_elf", lambda path: firmware(name))
        return render_from(left_by_runs(named(report, name), Path(folder), name), Path(folder))


@pytest.fixture(scope="module")
def plain() -> Page:
    return Page(page_of("plain"))


@pytest.mark.usefixtures("drawn")
@pytest.mark.parametrize("payload", PAYLOADS)
def test_no_name_makes_an_element_or_an_attribute(payload: str, request: pytest.FixtureRequest) -> None:
    text = page_of(payload)
    demand_nothing_is_run_or_fetched(text)
    demand_pictures_of_the_page(text)
    assert "No flame graph" not in text and "No map" not in text
    hostile, plain = Page(text), request.getfixturevalue("plain")
    assert hostile.elements == plain.elements
    assert payload[:12] in hostile.text


@pytest.mark.usefixtures("drawn")
@pytest.mark.parametrize("make", [whole_report, hostile_report, empty_report])
def test_nothing_is_run_or_fetched(make: Callable[[], Report]) -> None:
    demand_nothing_is_run_or_fetched(render(make()))


@pytest.mark.usefixtures("drawn")
@pytest.mark.parametrize("make", [whole_report, hostile_report])
def test_pictures_are_whole_and_take_their_colours_from_the_page(make: Callable[[], Report]) -> None:
    demand_pictures_of_the_page(render(make()))


@pytest.mark.usefixtures("drawn")
def test_it_tells_budgets_with_what_is_left_and_all_figures() -> None:
    report = full_report()
    text = Page(render(report)).text
    assert f"{len(report.broken)} of 5 budgets broken" in text
    assert "2.74 points left" in text and "20 % beyond" in text
    for told in ("no answer to sample 4 within 60 s", "1,234,567", "conv1", "rom_bytes.weights", "±1.2 %"):
        assert told in text


@pytest.mark.usefixtures("drawn")
def test_the_error_of_a_model_stands_at_the_bars_and_is_told() -> None:
    text = render(whole_report())
    assert "5.7 %; nobody measured single layers" in text and "3.5 c/MAC" in text


@pytest.mark.usefixtures("drawn")
def test_quantization_is_told_by_layer() -> None:
    page = Page(render(whole_report()))
    assert all(told in page.text for told in ("-1.5 to 7.25", "-8 to 7.938", "1.25", "31.2", "1.2 % saturate"))
    assert ("aria-label", "Quantization of run 5") in page.values


@pytest.mark.usefixtures("drawn")
def test_flash_of_layers_is_told_and_packed_bits_are_not() -> None:
    report = whole_report()
    packed = dataclasses.replace(report, runs=tuple(dataclasses.replace(one, right="AbCdEfGh") for one in report.runs))
    text = render(packed)
    assert "56,789" in text and "1,234" in text and "Flash of the layers of run 5" in text and "AbCdEfGh" not in text


@pytest.mark.usefixtures("drawn")
def test_thousands_of_runs_of_long_names_are_cut_and_told() -> None:
    one, name = timed(good_run()), '<b>&"' * 100
    runs = tuple(
        dataclasses.replace(
            one, id=f"r{n}", model=f"{name}{n}", accuracy=n * 7919 % 1000 / 1000, latency_ms=1.0 + n % 997
        )
        for n in range(3000)
    )
    checks = tuple(Check("accuracy_min", run.id, 0.99, 0.9, False) for run in runs)
    text = render(dataclasses.replace(full_report(), runs=runs, checks=checks))
    assert len(text.encode()) <= LARGEST_BYTES
    assert re.search(r"\d+ of 3000 runs are shown: report.json has all", text)


def run_of(number: int, cost: float, score: float) -> Run:
    return dataclasses.replace(good_run(), id=str(number), latency_ms=cost, accuracy=score)


@given(st.lists(st.tuples(st.integers(0, 5), st.integers(0, 5)), max_size=12))
def test_on_the_front_is_whom_nobody_beats(pairs: list[tuple[int, int]]) -> None:
    runs = tuple(run_of(number, cost, score) for number, (cost, score) in enumerate(pairs))
    found = points(dataclasses.replace(full_report(), runs=runs, checks=()), FIGURES["accuracy"], FIGURES["latency_ms"])
    beaten = {
        number
        for number, (cost, score) in enumerate(pairs, 1)
        if any(c <= cost and s >= score and (c, s) != (cost, score) for c, s in pairs)
    }
    assert {one.number for one in found if not one.first} == beaten and len(found) == len(pairs)


def test_without_its_package_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vl_convert", None)
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(MissingToolError) as refused:
        render(full_report())
    assert refused.value.hint == "pip install 'mcusim[html]'"


def test_a_run_does_not_begin_without_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It would be found out after hours."""
    monkeypatch.setattr("mcusim.reports.html.page.importlib.util.find_spec", lambda name: None)
    (tmp_path / "e.toml").write_text("[[model]]\nfile = 'm.tflite'\n")
    assert cli.execute(["run", str(tmp_path / "e.toml"), "--html", str(tmp_path / "r.html")]) == 4
    assert "pip install 'mcusim[html]'" in capsys.readouterr().err
