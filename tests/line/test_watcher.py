"""Whoever inherits from Silent hears what a Watcher is told, and misses nothing."""

from __future__ import annotations

from inspect import signature

from mcusim.line.watcher import Silent, Watcher


def test_silent_takes_everything_that_a_watcher_is_told() -> None:
    told = {name for name in dir(Watcher) if not name.startswith("_")}
    assert "downloading" in told
    for name in told:
        method = getattr(Silent(), name)
        assert method(*range(len(signature(method).parameters))) is None
