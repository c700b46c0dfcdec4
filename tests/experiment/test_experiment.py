"""Experiments: which runs they ask for, what a command line changes, which budgets hold where."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcusim.boards.load import board_names
from mcusim.experiment.experiment import Experiment
from mcusim.experiment.quantization import Quantization
from mcusim.experiment.tables import DatasetChoice, Expect, ExpectFor, General, Model, Target
from mcusim.system.errors import ConfigurationError


def experiment(**changes: object) -> Experiment:
    values: dict[str, object] = {
        "path": Path("/x/test.toml"),
        "general": General(name="test"),
        "dataset": DatasetChoice(name="digits"),
        "models": (Model(name="a", architecture="mlp"), Model(name="b", architecture="mlp")),
        "quantizations": (Quantization(data_type="float32"), Quantization(data_type="int8")),
        "target": Target(boards=("nucleo_l452re_p", "sparkfun_edge")),
    }
    return Experiment(**{**values, **changes})  # type: ignore[arg-type]


def test_boards_are_innermost() -> None:
    assert [case.id for case in experiment().cases()][:3] == [
        "a-float32-nucleo_l452re_p",
        "a-float32-sparkfun_edge",
        "a-int8-nucleo_l452re_p",
    ]


def test_repeats_are_trainings_and_a_file_has_none() -> None:
    models = (Model(name="a", architecture="mlp"), Model(name="f", file=Path("/x/f.keras")))
    repeated = experiment(models=models, general=General(name="test", repeats=3))
    assert [(model.name, repeat) for model, repeat in repeated.trainings()] == [("a", 0), ("a", 1), ("a", 2), ("f", 0)]


def test_ids_are_unique_file_names_whatever_the_names() -> None:
    names = ["a", "a-int8", "A b", "A/b", "../x", "int", "x" * 90, "x" * 91]
    hostile = experiment(
        models=tuple(Model(name=name, architecture="mlp") for name in names),
        quantizations=(Quantization(data_type="int8"), Quantization(data_type="int8", rounding="floor")),
        target=Target(boards=("b", "/elsewhere/b.toml", "int8-b")),
    )
    ids = [case.id for case in hostile.cases()]
    assert len(set(ids)) == len(ids) == 8 * 2 * 3
    assert all(Path(name).name == name and len(name) < 200 for name in ids)


def test_the_host_engine_takes_no_board() -> None:
    on_host = experiment(target=Target(engine="host"))
    assert on_host.boards == (None,) and {case.board for case in on_host.cases()} == {None}
    first = next(on_host.cases())
    assert (first.id, first.board_name, first.label) == ("a-float32-host", "host", "a, float32, host in host")


def test_without_boards_it_runs_on_all_and_says_so() -> None:
    everywhere = experiment(target=Target())
    assert everywhere.boards == board_names() and "names no board" in everywhere.notes[0]
    assert {case.board for case in everywhere.cases()} == set(board_names())
    for target in (Target(boards=("sparkfun_edge",)), Target(engine="host")):
        assert not experiment(target=target).notes
    assert not everywhere.with_options(boards=("sparkfun_edge",)).notes


def test_options_choose_and_replace() -> None:
    changed = experiment().with_options(
        boards=["sparkfun_edge"], models=["b"], data_types=["int8"], seed=5, engine=None, samples=7, jobs=None
    )
    assert [case.id for case in changed.cases()] == ["b-int8-sparkfun_edge"]
    assert changed.general.seed == 5 and changed.target.samples == 7 and changed.target.engine == "qemu"


def test_no_options_change_nothing() -> None:
    assert experiment().with_options(samples=None) == experiment()


def test_a_data_type_that_the_experiment_has_keeps_its_settings() -> None:
    own = Quantization(data_type="int16", scheme="per-network", format="Q7.9")
    chosen = experiment(quantizations=(own,)).with_options(data_types=["int16", "int9"])
    assert chosen.quantizations == (own, Quantization(data_type="int9"))


def test_unknown_choices() -> None:
    with pytest.raises(ConfigurationError, match="no model 'c'"):
        experiment().with_options(models=["c"])
    with pytest.raises(ConfigurationError, match="unknown data type 'int99'"):
        experiment().with_options(data_types=["int99"])


def test_later_budgets_replace_earlier_ones_for_the_runs_they_name() -> None:
    budgets = experiment(
        expect=Expect(accuracy_min=0.9, rom_bytes_max=1000),
        expect_for=(
            ExpectFor(data_type="int8", accuracy_min=0.8),
            ExpectFor(data_type="int8", board="sparkfun_edge", accuracy_min=0.7),
            ExpectFor(model="b", energy_uwh_max=1.0),
        ),
    )
    limits = {case.id: budgets.limits(case) for case in budgets.cases()}
    assert limits["a-float32-sparkfun_edge"] == {"accuracy_min": 0.9, "rom_bytes_max": 1000}
    assert limits["a-int8-nucleo_l452re_p"]["accuracy_min"] == 0.8
    assert limits["a-int8-sparkfun_edge"]["accuracy_min"] == 0.7
    assert limits["b-int8-sparkfun_edge"]["energy_uwh_max"] == 1.0


def test_a_later_margin_replaces_an_earlier_one() -> None:
    budgets = experiment(
        expect=Expect(latency_ms_max=9.0, margin="p90"),
        expect_for=(
            ExpectFor(data_type="int8", margin="none"),
            ExpectFor(data_type="int8", board="sparkfun_edge", margin="median"),
            ExpectFor(data_type="int8", board="sparkfun_edge", latency_ms_max=8.0),
        ),
    )
    margins = {case.id: budgets.margin(case) for case in budgets.cases()}
    assert margins["a-float32-sparkfun_edge"] == "p90" and margins["a-int8-nucleo_l452re_p"] is None
    assert margins["a-int8-sparkfun_edge"] == "median"
    assert "margin" not in budgets.limits(next(budgets.cases()))
    assert {experiment().margin(case) for case in experiment().cases()} == {None}
