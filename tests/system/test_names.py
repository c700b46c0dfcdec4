"""Hostile names: nothing of them reaches a terminal or leaves a folder, and two of them never share a file."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcusim.system.names import file_name, printable, shortened

HOSTILE = [
    "",
    ".",
    "..",
    "../../etc/passwd",
    "a/b",
    "a\\b",
    "a b",
    "-rf",
    "\x1b[31mred",
    "a\nb",
    "\u202egnp",
    "x" * 500,
    "ü",
]


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_names_become_one_component(name: str) -> None:
    safe = file_name(name)
    assert Path(safe).name == safe and safe not in ("", ".", "..") and not safe.startswith((".", "-"))
    assert len(safe) < 80 and safe.isascii()


@given(st.text(max_size=80), st.text(max_size=80))
def test_two_names_never_share_a_file(one: str, other: str) -> None:
    assert (file_name(one) == file_name(other)) == (one == other)


@pytest.mark.parametrize("name", ["cnn", "resnetv1_6_f16", "v1.2-small"])
def test_plain_names_stay(name: str) -> None:
    assert file_name(name) == name


@given(st.text())
def test_printable_is_one_harmless_line(text: str) -> None:
    assert all(char.isprintable() for char in printable(text))


def test_printable_keeps_what_people_write() -> None:
    assert printable("naïve\n  Größe") == "naïve Größe"
    assert "\x1b" not in printable("\x1b]0;title\x07")


def test_what_nobody_reads_is_cut() -> None:
    assert shortened("short") == "short" and shortened("ab" * 5000, 10) == "ababa [..] babab"
