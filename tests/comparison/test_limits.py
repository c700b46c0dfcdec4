"""How much worse a figure may be: what people write, and what it allows."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcusim.comparison.limits import SYNONYMS, read_limit, read_option, worse_by
from mcusim.reports.figures import REGRESS
from mcusim.system.validation import Unusable


@pytest.mark.parametrize(
    ("name", "text", "base", "kept", "broken"),
    [
        ("latency_ms", "2%", 100.0, 102.0, 102.0001),
        ("latency_ms", "500 us", 100.0, 100.5, 100.50001),
        ("latency_ms", "0", 100.0, 100.0, 100.0000001),
        ("accuracy", "0.2pt", 0.95, 0.948, 0.9479),
        ("accuracy", "0.2 points", 0.95, 0.948, 0.9479),
        ("accuracy", 0.002, 0.95, 0.948, 0.9479),
        ("accuracy", 0, 0.95, 0.95, 0.9499),
        ("rom_bytes", 512, 1000, 1512, 1513),
        ("rom_bytes", "1 KiB", 1000, 2024, 2025),
        ("cycles", "0%", 1e6, 1e6, 1e6 + 1),
        ("mismatches", "2%", 0, 0, 1),
        ("r2", "10%", -0.5, -0.55, -0.56),
    ],
)
def test_what_is_allowed(name: str, text: object, base: float, kept: float, broken: float) -> None:
    limit = read_limit(name, text)
    assert limit.allows(base, kept) and not limit.allows(base, broken)
    assert limit.allows(base, base) and limit.allows(base, base - worse_by(limit.figure, 0, 1)), "better is always fine"


@given(st.sampled_from(sorted(REGRESS)), st.floats(-1e6, 1e6), st.floats(0, 1e6))
def test_no_worse_at_all_is_exact(name: str, base: float, more: float) -> None:
    limit = read_limit(name, "0")
    worse = base - more if limit.figure.better == "higher" else base + more
    assert limit.allows(base, worse) == (base == worse)


@pytest.mark.parametrize(
    ("text", "better", "told", "hint"),
    [
        ("latency_ms", "lower", "is no limit of a figure", "latency_ms=2%"),
        ("latency=2%", "lower", "unknown figure 'latency'", "latency_ms"),
        ("scores.f1_macro=1pt", "higher", "unknown figure", "'f1'"),
        ("accuracy=0.2pt", "lower", "accuracy is worse where it falls", "--max-drop accuracy=0.2pt"),
        ("rom_bytes=2%", "higher", "rom_bytes is worse where it rises", "--max-rise rom_bytes=2%"),
        ("accuracy=0.2%", "higher", "percent may be points", "0.2pt"),
        ("accuracy=20", "higher", "more than all", "20pt"),
        ("accuracy=much", "higher", "accuracy = 'much' is no limit", "0.5pt"),
        ("accuracy=-1pt", "higher", "accuracy = '-1pt' is no limit", "0.5pt"),
        ("latency_ms=2pt", "lower", "'2pt' is no limit in ms", "us, ms, s"),
        ("rom_bytes=-1", "lower", "'-1' is no limit", "bytes"),
        ("rom_bytes=1e9999", "lower", "is no limit", "bytes"),
        ("rom_bytes=", "lower", "'' is no limit", "bytes"),
    ],
)
def test_what_is_no_limit(text: str, better: str, told: str, hint: str) -> None:
    with pytest.raises(Unusable, match=told) as refused:
        read_option(text, better)
    assert hint in refused.value.hint


def test_an_option_is_a_limit() -> None:
    assert read_option(" latency_ms = 2 % ", "lower") == read_limit("latency_ms", "2 %")


def test_words_of_others_mean_figures_that_there_are() -> None:
    assert set(SYNONYMS.values()) <= set(REGRESS)
