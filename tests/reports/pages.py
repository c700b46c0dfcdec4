"""HTML pages, taken apart, and names that would like to be more than text in them."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from xml.etree import ElementTree

PAYLOADS = (
    "<script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "' onmouseover='alert(1)' x='",
    "</style><script>alert(1)</script>",
    "</title></text></svg><script>alert(1)</script>",
    "javascript:alert(1)",
    "--><iframe src=//x.example></iframe><!--",
    "]]><svg onload=alert(1)>",
    "{{ 7 * 7 }}{% raw %}",
    "url(//x.example/a.png);background:expression(1)",
    "&lt;b&gt;&quot;",
)


COLOURS = ("ink", "muted", "rule", "main", "first", "wrong", "kept", "paper")  # of page.css


class Page(HTMLParser):
    """Its elements with the names of their attributes, and what these hold."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, tuple[str, ...]]] = []
        self.values: list[tuple[str, str]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, tuple(sorted(name for name, _ in attrs))))
        self.values += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.text += data


def demand_nothing_is_run_or_fetched(text: str) -> None:
    page = Page(text)
    assert not {"script", "iframe", "object", "embed", "image", "use", "form", "base"} & {
        tag for tag, _ in page.elements
    }
    names = {name for name, _ in page.values}
    assert not [name for name in names if name.startswith("on") or name in ("srcset", "style", "action")]
    assert all(value.startswith("#") or value == "data:," for name, value in page.values if name.endswith("href"))
    assert all(value.startswith("data:image/png;base64,") for name, value in page.values if name == "src")
    style = text.partition("<style>")[2].partition("</style>")[0]
    assert style and "url(" not in style and "@import" not in style
    assert ("content", "default-src 'none'; style-src 'unsafe-inline'; img-src data:") in page.values
    assert not re.search("[\x00-\x08\x1b\u202e]", text)


def demand_pictures_of_the_page(text: str) -> None:
    """Whole, and with its colours."""
    pictures = re.findall(r"<svg .*?</svg>", text, re.DOTALL)
    assert pictures
    for picture in pictures:
        root = ElementTree.fromstring(picture)
        assert not [element for element in root.iter() if element.get("id") is not None]
        colours = {value for one in root.iter() for key in ("fill", "stroke") if (value := one.get(key))}
        assert colours <= {"none", *(f"var(--{name})" for name in COLOURS)}
