"""script/fuzz: the same again from a seed, nothing done twice, and whatever goes wrong is told with its seed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from mcusim.graph import Graph
from mcusim.program import Program
from mcusim.system.arrays import Array
from mcusim.system.errors import ConfigurationError, DataError
from mcusim.system.records import fields_of
from tests.compiled import run_compiled
from tests.tools.toy_kind import MENDED, TOY, toy
from tools.fuzz import __main__ as fuzz
from tools.fuzz import graphs, state
from tools.fuzz.fronts import FRONTS
from tools.fuzz.kind import Failure, Outcome

SYSTEM = {one.data_type: one for one in reversed(graphs.SYSTEMS)}
CHOICE = {one.name: one for one in graphs.CHOICES}


@pytest.fixture(autouse=True)
def toys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fuzz, "KINDS", (TOY,))
    monkeypatch.setattr(fuzz, "kind_of", toy)


def test_it_goes_on_where_it_was(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["--minutes", "0.001", "--jobs", "1", "--state", str(tmp_path)]
    state.write(tmp_path, "toy", state.State(next_seed=4))
    assert fuzz.main(words) == fuzz.BROKEN
    known = state.read(tmp_path, "toy")
    assert known.failures == [Failure(5, "it is five")] and known.counts["all"] == known.next_seed - 4 > 0
    assert "BAD script/fuzz --only 'toy' --seed 5\n    it is five" in capsys.readouterr().out
    monkeypatch.setenv(MENDED, "1")
    assert fuzz.main(words) == 0 and not state.read(tmp_path, "toy").failures
    assert "nothing went wrong" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("seed", "told"), [(5, "it is five"), (6, "it is five"), (13, "ended with 9"), (21, "no end after 3 s")]
)
def test_a_seed_is_tried_again_alone_and_with_its_batch(
    seed: int, told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fuzz.main(["--only", "toy", "--seed", str(seed)]) == fuzz.BROKEN
    assert told in capsys.readouterr().out


def test_what_is_not_here_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(ConfigurationError, match="thirty"):
        fuzz.main(["--only", "toy", "--seed", "30"])
    with pytest.raises(ConfigurationError, match="in its name"):
        fuzz.main(["--only", "x"])
    state.write(tmp_path, "toy", state.State(next_seed=28))
    assert fuzz.main(["--minutes", "1", "--jobs", "1", "--state", str(tmp_path)]) == 0
    assert "not tried, thirty" in capsys.readouterr().out
    (tmp_path / "toy.json").write_text("[]")
    with pytest.raises(DataError, match="no state"):
        fuzz.main(["--state", str(tmp_path)])


def _models(count: int, setting: graphs.Setting, folder: Path) -> list[graphs.Tried]:
    outcome = Outcome()
    return [one for seed in range(count) if (one := graphs.made(FRONTS[0], seed, setting, folder, outcome))]


@pytest.mark.parametrize("data_type", ["float32", "int8"])
def test_a_wrong_number_is_found_and_whose_it_is(tmp_path: Path, data_type: str) -> None:
    system, choice = SYSTEM[data_type], CHOICE["chosen"]
    tried, outcome = _models(3, graphs.Setting(system, choice), tmp_path), Outcome()

    def answers(graph: Graph, x: Array, program: Program) -> Array:
        made = run_compiled(graph, x) if data_type == "float32" else graph.run(x)
        made = made.copy()
        field = list(fields_of(made).values())[2]
        field[1, 0] += 1 if data_type == "int8" else np.spacing(field[1, 0])
        return made

    graphs.judge(tried, choice, outcome, answers)
    assert [failure.seed for failure in outcome.failures] == [tried[2].seed]
    assert outcome.counts == {f"numbers: {system}": 3, "kernels: chosen": 3}


def test_what_ends_all_of_them_is_looked_for_in_each(tmp_path: Path) -> None:
    setting = graphs.Setting(SYSTEM["int8"], CHOICE["plain"])
    tried, outcome = _models(3, setting, tmp_path), Outcome()

    def answers(graph: Graph, x: Array, program: Program) -> Array:
        assert len(graph.inputs) < 2 and graph.inputs[0].shape != tried[1].graph.inputs[0].shape, "no"
        return graph.run(x)

    graphs.judge(tried, setting.choice, outcome, answers)
    assert tried[1].seed in {failure.seed for failure in outcome.failures}
    assert all("no" in failure.what for failure in outcome.failures)
