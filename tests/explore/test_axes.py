"""Axes: keys of the file with several values, each point an experiment file like any other."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcusim.experiment.exploration import MOST_AXES, MOST_VALUES
from mcusim.experiment.read import read_tables
from mcusim.explore.point import Point
from mcusim.explore.to_console import differences
from mcusim.system.errors import ConfigurationError
from tests.explore.exploring import opened, write


def test_the_first_value_of_each_is_the_base(tmp_path: Path) -> None:
    _, space = opened(write(tmp_path))
    assert space.size == 6
    assert space.chosen(space.base) == {"quantization.data_type": "int8", "target.kernels": "auto"}


def test_a_point_is_an_experiment_of_one_run(tmp_path: Path) -> None:
    experiment, space = opened(write(tmp_path))
    point = read_tables(experiment.path, space.at((1, 1)), "")
    [case] = point.cases()
    assert case.quantization.label == "int16" and point.target.kernels.default == ("plain",)
    assert case.model.file == tmp_path / "tiny.tflite"


def test_keys_may_be_written_as_tables(tmp_path: Path) -> None:
    axes = 'quantization.data_type = ["int8", "int16"]\nquantization.layer."a.b".data_type = ["int8", "int16"]\n'
    _, space = opened(write(tmp_path, axes=axes))
    assert [axis.path for axis in space.axes] == [
        ("quantization", "data_type"),
        ("quantization", "layer", "a.b", "data_type"),
    ]
    assert space.at((1, 1))["quantization"] == [
        {"data_type": "int16", "layer": [{"name": "a.b", "data_type": "int16"}]}
    ]


def test_a_layer_that_is_named_already_is_changed(tmp_path: Path) -> None:
    path = write(tmp_path, axes='"quantization.layer.end.data_type" = ["int8", "int16"]\n')
    path.write_text(
        path.read_text() + "[[quantization]]\ndata_type = 'int8'\nlayer = [{ name = 'end', scheme = 'per-tensor' }]\n"
    )
    _, space = opened(path)
    [entry] = space.at((1,))["quantization"]
    assert entry["layer"] == [{"name": "end", "scheme": "per-tensor", "data_type": "int16"}]


def test_several_models_quantizations_and_boards_are_axes_by_themselves(tmp_path: Path) -> None:
    path = write(tmp_path, axes='"target.kernels" = ["auto", "plain"]\n')
    text = path.read_text().replace('["nucleo_l452re_p"]', '["nucleo_l452re_p", "sparkfun_edge"]')
    more = '[[model]]\nname = "other"\nfile = "tiny.tflite"\n' + "".join(
        f"[[quantization]]\ndata_type = {name!r}\n" for name in ("int8", "int16")
    )
    path.write_text(text + more)
    experiment, space = opened(path)
    assert space.names == ("model", "quantization", "board", "target.kernels")
    [case] = read_tables(path, space.at((1, 1, 1, 0)), "").cases()
    assert (case.model.name, case.quantization.label, case.board_name) == ("other", "int16", "sparkfun_edge")
    assert space.at(space.base)["model"][0] == {"file": "tiny.tflite"} and len(list(experiment.cases())) == 8


BAD = {
    '"quantization.data_type" = ["int8"]': "nothing to choose",
    '"quantization.data_type" = "int8"': "nothing to choose",
    '"target.kernels" = ["auto", "auto"]': "twice",
    '"approximation.channels" = [0, nan]': "NaN or infinity",
    '"approximation.channels" = [[0], [inf]]': "NaN or infinity",
    '"expect.accuracy_min" = [0.1, 0.2]': "is no key of model",
    'model = ["tiny", "tinny"]': "there is no model 'tinny'",
    '"quantization.layer.conv1" = ["int8", "int16"]': "names no key of a layer",
    'target = ["a", "b"]': "is no key of model",
    '"target.boards" = [["sparkfun_edge"], ["nucleo_l452re_p", "sparkfun_edge"]]': "one board and one engine",
    '"target.kernels" = ["auto", "plain"]\n"target.kernels.dense" = ["auto", "plain"]': "is a part of another one",
    '"target.kernels" = ["auto", "plain"]\ntarget.kernels = ["auto", "plain"]': "'target.kernels' is there twice",
    f'"approximation.channels" = {[*range(MOST_VALUES + 1)]}': f"has {MOST_VALUES + 1} values",
    "\n".join(f'"target.key{at}" = [1, 2]' for at in range(MOST_AXES + 1)): f"there are {MOST_AXES + 1} axes",
    'cascade = ["a", "b"]': "a cascade cannot be explored",
}


@pytest.mark.parametrize("axis", BAD)
def test_what_is_no_axis_is_told_with_its_name(tmp_path: Path, axis: str) -> None:
    with pytest.raises(ConfigurationError, match=BAD[axis]) as caught:
        opened(write(tmp_path, axes=f"{axis}\n"))
    assert "explore.axes" in (caught.value.where or "") and caught.value.hint


def test_one_filter_and_all_filters_are_two_values(tmp_path: Path) -> None:
    _, space = opened(write(tmp_path, axes='"approximation.rows" = [0, 1, 1.0]\n'))
    points = [Point((gene,), space.chosen((gene,))) for gene in range(3)]
    assert [differences(point, points[1]) for point in points] == [
        "approximation.rows 0",
        "",
        "approximation.rows 1.0",
    ]
    assert [repr(space.at((gene,))["approximation"]["rows"]) for gene in range(3)] == ["0", "1", "1.0"]


@pytest.mark.parametrize(
    ("objectives", "words"),
    [([], "no objective"), (["accuracy", "accuracy"], "is there twice"), (["accuracy", "latncy_ms"], "latncy_ms")],
)
def test_what_is_no_objective_is_told(tmp_path: Path, objectives: list[str], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words) as caught:
        opened(write(tmp_path, f"objectives = {objectives}"))
    assert "explore.objectives" in (caught.value.where or "") and caught.value.hint


@pytest.mark.parametrize("path", ["target.boards.x", "target.boards.x.y", "quantization.data_type.x"])
def test_an_axis_that_leads_through_a_value_is_told(tmp_path: Path, path: str) -> None:
    _, space = opened(write(tmp_path, axes=f'"{path}" = [1, 2]\n'))
    with pytest.raises(ConfigurationError, match="which has no keys") as caught:
        space.at(space.base)
    assert path in caught.value.what


def test_several_approximations_are_for_runs(tmp_path: Path) -> None:
    path = write(tmp_path)
    path.write_text(f'{path.read_text()}[[approximation]]\nname = "exact"\n')
    with pytest.raises(ConfigurationError, match="are for mcusim run") as caught:
        opened(path)
    assert "axes" in (caught.value.hint or "")


def test_without_an_axis_there_is_nothing_to_explore(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="no axis"):
        opened(write(tmp_path, axes=""))
