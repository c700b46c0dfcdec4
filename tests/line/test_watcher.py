"""Whoever inherits from Silent hears what a Watcher is told, and misses nothing."""

from __future__ import annotations

from mcusim.line.watcher import Silent, Watcher


def test_silent_takes_everything_that_a_watcher_is_told() -> None:
    told = {name for name in dir(Watcher) if not name.startswith("_")}
    assert "downloading" in told and told <= set(vars(Silent))
