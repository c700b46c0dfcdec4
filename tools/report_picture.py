"""A page of `mcusim run --html` -> a PNG of some of it: `python -m tools.report_picture PAGE.html PICTURE.png [RUN]`.

What differs from run to run, when it began and how long it took, is left out. Letters are those of the machine's fonts.
"""

import argparse
import sys
from pathlib import Path

from tools.browser import Browser, BrowserError, browser, program

WIDTH, HEIGHT = 1000, 1300
LARGEST_BYTES = 150_000
# The table of all runs, and the pictures of one beside each other.
SHOWN = """
const others = 'header > .small, nav, main > section:not(#overview, #inside)';
for (const one of document.querySelectorAll(others)) one.remove();
for (const one of document.querySelectorAll('article')) if (!one.textContent.trim().startsWith('RUN:')) one.remove();
const figures = document.querySelectorAll('article figure'), title = document.querySelector('article h3');
const together = document.createElement('div');
together.className = 'pictures';
together.append(...figures);
document.querySelector('#inside').replaceChildren(title.cloneNode(true), together);
Math.ceil(document.body.getBoundingClientRect().height)
"""


def picture(opened: Browser, page: Path, run: int) -> bytes:
    """Raises BrowserError, also where the page does not look into that run."""
    visit = opened.visit(page.resolve().as_uri(), WIDTH)
    height = visit.evaluate(SHOWN.replace("RUN", str(run)))
    found = visit.picture(0, 0, WIDTH, min(height, HEIGHT))
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
