"""Pages as a browser shows them: quiet, alone, as wide as the screen, and without a barrier that axe knows.

One start of the browser serves all of them.
"""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from mcusim.comparison import render as render_comparison
from mcusim.explore.to_html import render as render_exploration
from mcusim.line.pictured import keep
from mcusim.reports.html import rom
from mcusim.reports.report import Report
from mcusim.reports.to_html import render_from
from mcusim.reproduce.to_html import render as render_reproduction
from tests.comparison.comparing import full, hostile
from tests.explore.pages import explored
from tests.reports.reports import HOSTILE, hostile_report
from tests.reports.test_to_html import firmware, left_by_runs, whole_report
from tests.reproduce.studies import reproduced, run_of
from tests.required import skip_or_fail
from tools.browser import Browser, BrowserError, browser, program
from tools.report_picture import LARGEST_BYTES, picture

pytestmark = pytest.mark.usefixtures("drawn")
ROOT = Path(__file__).parents[2]
WIDE, NARROW = 1280, 400  # a screen, a telephone
PAGES = (
    *("report", "hostile report", "comparison", "hostile comparison", "exploration", "hostile exploration"),
    "reproduction",
)
TOLD = "found => found.violations.map(one => one.id + ': ' + one.nodes[0].html)"
BARRIERS = f"axe.run({{resultTypes: ['violations']}}).then({TOLD})"


@pytest.fixture(scope="module")
def opened() -> Iterator[Browser]:
    name = program()
    if name is None:
        skip_or_fail("chromium", "there is no Chromium: apt-get install chromium")
    with browser(name) as started:
        yield started


def page_of(report: Report, folder: Path, name: str) -> str:
    """With all that its runs keep beside it, whose names are this one."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rom, "read_elf", lambda path: firmware(name))
        told = left_by_runs(report, folder, name)
        for run in told.runs:
            keep(folder / run.id, np.random.default_rng(3).random((5, 16, 16, 3)), [3])
        return render_from(told, folder)


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("vl_convert", reason="vl-convert-python is not installed: pip install 'mcusim[html]'")
    folder = tmp_path_factory.mktemp("pages")
    texts = (
        page_of(whole_report(), folder / "whole", "conv1"),
        page_of(hostile_report(), folder / "hostile", HOSTILE),
        render_comparison(full(), "html"),
        render_comparison(hostile(), "html"),
        render_exploration(explored()),
        render_exploration(explored(HOSTILE)),
        render_reproduction(reproduced(*(run_of(size, of, 0.9) for size in (16, 24) for of in ("float32", "int8")))),
    )
    for name, text in zip(PAGES, texts, strict=True):
        (folder / f"{name}.html").write_text(text, encoding="utf-8")
    return folder


def axe() -> str:
    found = importlib.util.find_spec("axe_core_python")
    if found is None or found.origin is None:
        skip_or_fail("axe", "axe is not installed: pip install axe-core-python")
    return Path(found.origin).with_name("axe.min.js").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", PAGES)
@pytest.mark.parametrize(("width", "dark"), [(WIDE, False), (NARROW, True)])
def test_a_page_is_quiet_alone_and_no_wider_than_the_screen(
    opened: Browser, pages: Path, name: str, width: int, dark: bool
) -> None:
    """A request that the page itself forbids would be a message."""
    visit = opened.visit((pages / f"{name}.html").as_uri(), width, dark=dark)
    assert visit.messages == [] and visit.requests == []
    assert visit.evaluate("document.documentElement.scrollWidth") == width
    unseen = "[...document.images].filter(one => !one.complete || one.naturalWidth === 0).length"
    assert visit.evaluate(unseen) == 0
    paper = visit.evaluate("getComputedStyle(document.body).backgroundColor")
    assert paper == ("rgb(20, 24, 29)" if dark else "rgb(255, 255, 255)")
    visit.close()


@pytest.mark.parametrize("name", ["report", "comparison", "exploration", "reproduction"])
@pytest.mark.parametrize("dark", [False, True])
def test_axe_finds_no_barrier(opened: Browser, pages: Path, name: str, dark: bool) -> None:
    script = axe()
    visit = opened.visit((pages / f"{name}.html").as_uri(), NARROW if dark else WIDE, dark=dark)
    visit.evaluate(f"{script}; 0")
    assert visit.evaluate(BARRIERS) == []
    visit.close()


def test_the_picture_for_readme_is_small_and_the_same_whenever_it_ran(opened: Browser, pages: Path) -> None:
    first = picture(opened, pages / "report.html", 5)
    later = replace(whole_report(), started="2027-01-01T00:00:00+00:00", wall_s=99.5)
    (pages / "later.html").write_text(page_of(later, pages / "later", "conv1"), encoding="utf-8")
    assert first == picture(opened, pages / "later.html", 5)
    assert first.startswith(b"\x89PNG") and 10_000 < len(first) < LARGEST_BYTES
    with pytest.raises(BrowserError):
        picture(opened, pages / "report.html", 99)


def test_readme_has_a_picture_that_anybody_loads() -> None:
    [name] = re.findall(r"!\[[^]]+\]\((docs/[^)]+\.png)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    data = (ROOT / name).read_bytes()
    assert data.startswith(b"\x89PNG") and len(data) < LARGEST_BYTES


def test_what_would_be_found_is_found(opened: Browser, tmp_path: Path) -> None:
    """A page with a barrier, a request, a message and a picture that is too wide."""
    page = tmp_path / "page.html"
    image = "<img src='missing.png' width='3000' height='10'>"
    page.write_text(f"<!DOCTYPE html><html><body>{image}<script>console.log('x')</script></body></html>")
    visit = opened.visit(page.as_uri(), NARROW)
    assert len(visit.messages) == 2 and visit.requests == [(tmp_path / "missing.png").as_uri()]
    assert visit.evaluate("document.documentElement.scrollWidth") > NARROW
    visit.evaluate(f"{axe()}; 0")
    assert any(one.startswith("image-alt") for one in visit.evaluate(BARRIERS))
    visit.close()


def test_a_script_that_fails_is_told(opened: Browser) -> None:
    visit = opened.visit("about:blank", NARROW)
    with pytest.raises(BrowserError, match="nothing is not defined"):
        visit.evaluate("nothing")
    visit.close()
