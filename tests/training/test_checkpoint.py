"""What an interrupted training goes on with, and what it does not."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from mcusim.system.arrays import Array
from mcusim.training.checkpoint import Checkpoint
from mcusim.training.course import Epoch

X = np.arange(6.0)
HISTORY = [Epoch(1.5, 0.5, None, 0.1), Epoch(0.5, None, 0.75, 0.01, 0.25)]


class Learner:
    def __init__(self, *shape: int) -> None:
        self.random = np.random.default_rng(1)
        self.variables = [np.zeros(shape, np.float32), np.array(0)]

    def state(self) -> list[Array]:
        return self.variables

    def restore(self, state: Sequence[Array]) -> None:
        if [one.shape for one in state] != [one.shape for one in self.variables]:
            raise ValueError("another network")
        self.variables = list(state)


def interrupted(folder: Path) -> Learner:
    learner, checkpoint = Learner(2, 3), Checkpoint(folder, "a/net", {"epochs": 9}, [X])
    learner.variables = [np.full((2, 3), 7, np.float32), np.array(12)]
    learner.random.random(5)
    checkpoint.keep(learner, HISTORY, 1)
    checkpoint.write()
    return learner


def test_all_that_the_next_epoch_follows_from(tmp_path: Path) -> None:
    before, after = interrupted(tmp_path), Learner(2, 3)
    checkpoint = Checkpoint(tmp_path, "a/net", {"epochs": 9}, [X])
    assert checkpoint.go_on(after) == (HISTORY, 1)
    for old, new in zip(before.variables, after.variables, strict=True):
        np.testing.assert_array_equal(old, new)
        assert old.shape == new.shape and old.dtype == new.dtype
    assert after.random.random() == before.random.random()
    checkpoint.forget()
    assert not list(tmp_path.iterdir()) and checkpoint.go_on(Learner(2, 3)) == ([], 0)


@pytest.mark.parametrize("change", ["settings", "samples", "code", "name", "network", "cut off", "no file"])
def test_what_begins_anew(change: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    interrupted(tmp_path)
    [path] = tmp_path.iterdir()
    if change == "code":
        monkeypatch.setattr("mcusim.training.checkpoint.own_code", lambda: "another")
    if change == "cut off":
        path.write_bytes(path.read_bytes()[:-9])
    if change == "no file":
        path.unlink()
        path.mkdir()
    told = {"epochs": 10 if change == "settings" else 9}
    checkpoint = Checkpoint(tmp_path, "net" if change == "name" else "a/net", told, [X + (change == "samples")])
    learner = Learner(3) if change == "network" else Learner(2, 3)
    assert checkpoint.go_on(learner) == ([], 0) and not learner.variables[0].any()
