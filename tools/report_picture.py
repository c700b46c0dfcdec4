"""A page of `mcusim run --html` -> a PNG of some of it: `python -m tools.report_picture PAGE.html PICTURE.png [RUN]`.

What differs from run to run, when it began and how long it took, is left out. Letters are those of the machine's fonts.
"""

import argparse
import sys
from pathlib import Path

from tools.browser import Browser, BrowserError, browser, program

WIDTH, HEIGHTS = 1000, (1360, 1250, 1000, 700)  # the first whose picture is small enough
LARGEST_BYTES = 150_000
# The table of all runs, and of one a picture of each kind, beside each other.
SHOWN = """
const others = 'header > .small, nav, main > section:not(#overview, #inside)';
for (const one of document.querySelectorAll(others)) one.remove();
for (const one of document.querySelectorAll('article')) if (!one.textContent.trim().startsWith('RUN:')) one.remove();
const title = document.querySelector('article h3'), kinds = new Set();
const figures = [...document.querySelectorAll('article figure')].filter(one => {
    const kind = one.querySelector('figcaption').textContent.trim().split(' ', 2).join(' '), isFirst = !kinds.has(kind);
    kinds.add(kind);
    return isFirst;
});
const together = document.createElement('div');
together.className = 'pictures';
const isWide = one => one.getBoundingClientRect().width > 500;
together.append(...figures.sort((one, other) => isWide(one) - isWide(other)));
document.querySelector('#inside').replaceChildren(title.cloneNode(true), together);
"""
CUT = """
for (const one of document.querySelectorAll('figure')) if (one.getBoundingClientRect().bottom > HEIGHT) one.remove();
Math.ceil(document.body.getBoundingClientRect().height)
"""


def picture(opened: Browser, page: Path, run: int) -> bytes:
    """Raises BrowserError, also where the page does not look into that run."""
    visit = opened.visit(page.resolve().as_uri(), WIDTH)
    visit.evaluate(SHOWN.replace("RUN", str(run)))
    for most in HEIGHTS:
        height = visit.evaluate(CUT.replace("HEIGHT", str(most)))
        found = visit.picture(0, 0, WIDTH, min(height, most))
        if len(found) <= LARGEST_BYTES:
            break
    visit.close()
    return found


def main() -> str | None:
    """What is wrong."""
    parser = argparse.ArgumentParser(description="A picture of a report, for README.")
    parser.add_argument("page", type=Path, help="of mcusim run --html")
    parser.add_argument("png", type=Path, help="where it is written")
    parser.add_argument("--run", type=int, default=1, metavar="N", help="whose pictures are shown")
    asked, name = parser.parse_args(), program()
    if name is None:
        return "there is no Chromium: apt-get install chromium"
    try:
        with browser(name) as opened:
            data = picture(opened, asked.page, asked.run)
    except BrowserError as error:
        return f"{asked.page}: {error}; does the page look into run {asked.run}?"
    if len(data) > LARGEST_BYTES:
        return f"{len(data):,} bytes are more than {LARGEST_BYTES:,}: show less"
    asked.png.write_bytes(data)
    return None


if __name__ == "__main__":
    sys.exit(main())
