"""Engines of an experiment, and whether they need a board: they say so themselves."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from mcusim.engines import ENGINES
from mcusim.experiment.engine_choice import check_engines, needs_board, split_engines
from mcusim.system.validation import Unusable


def test_several_in_their_order() -> None:
    assert split_engines("qemu, renode") == ("qemu", "renode")
    check_engines("qemu, renode")


@pytest.mark.parametrize(
    ("text", "what"),
    [("", "unknown engine ''"), ("qemu,", "unknown engine ''"), ("qemu,qemu", "there twice"), ("qmeu", "unknown")],
)
def test_what_cannot_be(text: str, what: str) -> None:
    with pytest.raises(Unusable, match=what):
        check_engines(text)


def test_an_engine_says_that_it_needs_no_board(monkeypatch: pytest.MonkeyPatch) -> None:
    assert [needs_board(name) for name in ("host", "qemu", "renode")] == [False, True, True]
    monkeypatch.setitem(ENGINES, "bench", SimpleNamespace(FACTS=SimpleNamespace(needs_board=False)))
    assert not needs_board("bench")
    check_engines("bench")
    with pytest.raises(Unusable, match="engine 'bench' runs on no board"):
        check_engines("qemu,bench")
