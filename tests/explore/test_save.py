"""A point is written as an experiment that gives it, wherever it is written to."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcusim.experiment.read import read_experiment
from mcusim.explore.evaluate import Task, evaluate
from mcusim.explore.explore import files_of, task_of
from mcusim.explore.point import Point
from mcusim.explore.save import save
from tests.explore.exploring import opened, write

pytest.importorskip("tomlkit")
AXES = '"quantization.data_type" = ["int8", "int16"]\n"target.ram_max" = [30000, 40000]\n'


def test_the_file_gives_the_same_library_and_keeps_comments(tmp_path: Path) -> None:
    experiment, space = opened(write(tmp_path, axes=AXES))
    file = save(experiment, space, Point((1, 1), {}), tmp_path / "deep" / "er")
    again = read_experiment(file)
    [case] = again.cases()
    assert case.quantization.label == "int16" and again.target.ram_max == 40000 and not again.explore.axes
    assert case.model.file and case.model.file.samefile(tmp_path / "tiny.tflite")
    assert "# mine" in file.read_text() and 'file = "../../data.npz"' in file.read_text()
    task = task_of(experiment, space, tmp_path, (1, 1), "estimate", files_of(experiment))
    own = Task(file, _tables(file), tmp_path, (), {}, "estimate", ())
    assert evaluate(task).digest == evaluate(own).digest
    assert not evaluate(own).error


def _tables(file: Path) -> dict[str, object]:
    from mcusim.system.toml_file import read_toml

    return read_toml(file)[0]


def test_a_map_of_boards_is_named_from_there(tmp_path: Path) -> None:
    path = write(tmp_path)
    path.write_text(path.read_text().replace("[target]", '[target]\nhardware = "map.toml"'))
    experiment, space = opened(path)
    file = save(experiment, space, Point(space.base, {}), tmp_path / "front" / "base")
    assert read_experiment(file).target.hardware == tmp_path / "front" / "base" / "../../map.toml"


def test_boards_in_files_are_named_from_there(tmp_path: Path) -> None:
    path = write(tmp_path)
    path.write_text(path.read_text().replace('["nucleo_l452re_p"]', '["mine.toml"]'))
    (tmp_path / "mine.toml").write_text("")
    experiment, space = opened(path)
    file = save(experiment, space, Point(space.base, {}), tmp_path / "front" / "base")
    assert read_experiment(file).target.boards == (str(tmp_path / "front" / "base" / "../../mine.toml"),)
