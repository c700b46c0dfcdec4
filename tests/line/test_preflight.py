"""The folder for results: written to, and nothing outside of it; what is missing is told first."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcusim.experiment.approximation import Approximation
from mcusim.line.preflight import check_line, check_out
from mcusim.system.errors import ConfigurationError, MissingToolError
from mcusim.training import keras_setup
from mcusim.training.settings import TuningSettings
from tests.lines import FakeStages, experiment
from tests.lines import stages as stages  # noqa: PLC0414  (a fixture)


def test_it_is_made_and_left_empty(tmp_path: Path) -> None:
    check_out(tmp_path / "a" / "b")
    assert [*(tmp_path / "a" / "b").iterdir()] == []


@pytest.mark.parametrize("place", ["report.json", "models", "models/net.keras", "a-int8", "a-int8/run/output.bin"])
@pytest.mark.parametrize("goal", ["victim", "nothing/yet", "../other"])
def test_a_link_out_of_it_is_no_way_to_write(tmp_path: Path, place: str, goal: str) -> None:
    (tmp_path / "victim").mkdir()
    out = tmp_path / "out"
    (out / place).parent.mkdir(parents=True)
    (out / place).symlink_to(tmp_path / goal)
    with pytest.raises(ConfigurationError) as caught:
        check_out(out, ["a-int8"])
    assert repr(place) in caught.value.what and "--out" in (caught.value.hint or "")


def test_links_that_stay_inside_and_what_is_not_ours(tmp_path: Path) -> None:
    """The folder itself may be a link, and a project of the user's may lie in it."""
    (tmp_path / "real" / "models").mkdir(parents=True)
    (tmp_path / "real" / "models" / "last").symlink_to("first")
    (tmp_path / "real" / ".venv").symlink_to("/usr")
    (tmp_path / "out").symlink_to("real")
    check_out(tmp_path / "out", ["a-int8"])


def test_what_tuning_lacks_is_told_before_anything_is_done(
    stages: FakeStages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Unless it was done before."""
    absent = MissingToolError("training needs keras, which is not installed", hint="pip install mcusim[train]")
    monkeypatch.setattr(keras_setup, "missing", lambda: absent)
    chosen = Approximation(channels=1, tuning=TuningSettings())
    tunes = experiment(tmp_path, "a").model_copy(update={"approximations": (chosen,)})
    with pytest.raises(MissingToolError, match="weights are to be tuned") as caught:
        check_line(tunes, stages, tmp_path)
    assert "leave [approximation.tuning] out" in (caught.value.hint or "")
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "a+1.tuned").touch()
    check_line(tunes, stages, tmp_path)
