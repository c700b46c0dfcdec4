"""The line: in order, once for what is shared, and losing nothing whatever happens."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcusim.datasets import Dataset
from mcusim.experiment.experiment import Experiment
from mcusim.experiment.quantization import FLOAT, Quantization
from mcusim.experiment.tables import DatasetChoice, Expect, General, Model, Target
from mcusim.graph import Graph
from mcusim.line import case
from mcusim.line.bench import Bench
from mcusim.line.case import float_model, ready_model
from mcusim.line.front import quantized_graph
from mcusim.line.pictured import kept
from mcusim.line.preflight import check_line
from mcusim.line.ready import Setting
from mcusim.line.stages import STAGES
from mcusim.line.trained import stamp
from mcusim.line.watcher import Silent
from mcusim.models.source import Source
from mcusim.pipeline import run
from mcusim.reports.report import Report, Run
from mcusim.system.errors import BuildError, ConfigurationError, DataError, EngineError, MissingToolError, ModelError
from mcusim.training import keras_setup
from tests.lines import SAMPLES, FakeEngine, FakeStages, dataset, experiment, graph
from tests.lines import engine as engine  # noqa: PLC0414  (a fixture)
from tests.lines import stages as stages  # noqa: PLC0414
from tests.system.test_git import repository


class Listener(Silent):
    def __init__(self) -> None:
        self.stages: list[str] = []
        self.reports: list[Report] = []
        self.out = Path()

    def stage(self, text: str) -> None:
        self.stages.append(text)

    def finished(self, run: Run, number: int, total: int) -> None:
        self.reports.append(Report.read(self.out / "report.json"))
        assert self.reports[-1].runs[-1] == run and len(self.reports[-1].runs) == number


def test_every_case_in_order(engine: FakeEngine, tmp_path: Path) -> None:
    report = run(experiment(tmp_path, "a", "b"), tmp_path / "out", Silent())
    assert [entry.id for entry in report.runs] == ["a-float32-host", "a-int8-host", "b-float32-host", "b-int8-host"]
    assert all(entry.mismatches == 0 and entry.complete and not entry.error for entry in report.runs)
    first = report.runs[0]
    assert first.accuracy == first.accuracy_float and first.samples == SAMPLES
    assert (first.compiler, first.engine_version, first.macs, first.parameters) == ("cc 1", "fake 1", 12, 15)
    assert first.notes == ("made up",) and first.clock_hz is None
    assert report.complete and report.exit_code == 0


def test_the_report_is_written_after_every_run(engine: FakeEngine, tmp_path: Path) -> None:
    listener = Listener()
    listener.out = tmp_path / "out"
    report = run(experiment(tmp_path, "a", "b"), listener.out, listener)
    assert [len(seen.runs) for seen in listener.reports] == [1, 2, 3, 4]
    assert [seen.complete for seen in listener.reports] == [False, False, False, True]
    assert Report.read(listener.out / "report.json") == report


def test_what_runs_share_is_done_once(engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    listener, quantized = Listener(), list[str]()
    listener.out = tmp_path / "out"
    monkeypatch.setattr(listener, "finished", lambda *_: None)

    def quantize(source: Source, samples: object, chosen: Quantization, **options: Any) -> Graph:
        quantized.append(chosen.label)
        return quantized_graph(source, dataset().x_train, chosen, **options)

    monkeypatch.setattr(case, "quantized_graph", quantize)
    run(experiment(tmp_path, "a"), listener.out, listener)
    assert listener.stages.count("reading a") == 1 and quantized == ["float32", "int8"]
    assert sum(stage.startswith("data set") for stage in listener.stages) == 1


def test_an_emulator_starts_before_a_model_is_trained_or_read(stages: FakeStages, tmp_path: Path) -> None:
    opened: list[int] = []

    def read(path: Path, name: str) -> Source:
        opened.append(stages.engine.opened)
        return Source(graph(name))

    stages.read_model = read
    run(experiment(tmp_path), tmp_path / "out", Silent())
    assert opened == [1]


def test_two_runs_differ_only_in_time(engine: FakeEngine, tmp_path: Path) -> None:
    def plain(out: Path) -> Any:
        values = json.loads(run(experiment(tmp_path), out, Silent()).to_json())
        for entry in (values, *values["runs"]):
            for key in ("started", "wall_s", "emulated_mips"):
                entry.pop(key, None)
        return json.dumps(values)

    assert plain(tmp_path / "one") == plain(tmp_path / "two")


def test_digests_tell_what_two_runs_share(stages: FakeStages, tmp_path: Path) -> None:
    chosen = experiment(tmp_path)

    def digests() -> tuple[set[str | None], set[str | None], set[str | None]]:
        runs = run(chosen, tmp_path / "out", Silent()).runs
        every = [(entry.model_sha256, entry.data_sha256, entry.kernels_sha256) for entry in runs]
        models, data, kernels = (set(column) for column in zip(*every, strict=True))
        return models, data, kernels

    models, data, kernels = digests()
    assert (len(models), len(data), len(kernels)) == (1, 1, 2) and None not in models | data | kernels
    changed = replace(dataset(), y_test=2 - np.asarray(dataset().y_test))
    stages.load_dataset = lambda *_: changed
    assert digests() != (models, data, kernels) and digests()[::2] == (models, kernels)
    (tmp_path / "a.keras").write_bytes(b"another model")
    assert digests()[0] != models and digests()[2] == kernels


def test_the_report_names_the_commit_of_the_experiment(engine: FakeEngine, tmp_path: Path) -> None:
    assert run(experiment(tmp_path), tmp_path / "out", Silent()).git is None
    commit = repository(tmp_path)
    found = run(experiment(tmp_path), tmp_path / "out", Silent()).git
    assert found and found.commit == commit and not found.dirty


def fail_at(number: int, error: BaseException) -> Callable[[int], None]:
    def trouble(current: int) -> None:
        if current == number:
            raise error

    return trouble


def test_a_failed_run_becomes_an_entry_and_the_others_go_on(engine: FakeEngine, tmp_path: Path) -> None:
    engine.trouble = fail_at(2, EngineError("it hangs", where="nn_dense.h:31", hint="look there"))
    report = run(experiment(tmp_path, "a", "b"), tmp_path / "out", Silent())
    failed = report.runs[1]
    assert failed.error and (failed.error.kind, failed.error.message) == ("EngineError", "it hangs")
    assert (failed.error.where, failed.error.hint) == ("nn_dense.h:31", "look there")
    assert [bool(entry.error) for entry in report.runs] == [False, True, False, False]
    assert report.exit_code == 6 and report.complete


def test_the_exit_code_is_that_of_the_first_error(engine: FakeEngine, tmp_path: Path) -> None:
    def trouble(number: int) -> None:
        raise {1: BuildError("too big"), 2: EngineError("hangs")}[number]

    engine.trouble = trouble
    assert run(experiment(tmp_path), tmp_path / "out", Silent()).exit_code == 5


def test_a_broken_model_fails_its_own_runs_and_is_read_once(stages: FakeStages, tmp_path: Path) -> None:
    read: list[Path] = []

    def load(path: Path, name: str) -> Source:
        read.append(path)
        if path.stem == "bad":
            raise ModelError("this is no model", where=str(path))
        return Source(graph(name))

    stages.read_model = load
    report = run(experiment(tmp_path, "bad", "good"), tmp_path / "out", Silent())
    assert [bool(entry.error) for entry in report.runs] == [True, True, False, False]
    assert len(read) == 2 and report.exit_code == 3


@pytest.mark.parametrize("at_fault", ["load_dataset", "engine"])
def test_a_failed_run_is_called_as_one_that_did_not_fail(stages: FakeStages, tmp_path: Path, at_fault: str) -> None:
    """CI systems follow a test by its name."""
    chosen = experiment(tmp_path, quantizations=(Quantization(data_type="as-stored"),))
    [good] = run(chosen, tmp_path / "out", Silent()).runs
    if at_fault == "engine":
        stages.engine.trouble = fail_at(2, EngineError("it hangs"))
    else:
        stages.load_dataset = lambda *_: replace(dataset(), classes=("a", "b"))
    [bad] = run(chosen, tmp_path / "out", Silent()).runs
    assert bad.error and bad.label == good.label == "a, float32, host"
    assert (bad.data_type, bad.id, bad.scheme) == (good.data_type, good.id, good.scheme)


def test_a_model_that_does_not_fit_the_data_is_told_before_it_is_built(stages: FakeStages, tmp_path: Path) -> None:
    stages.load_dataset = lambda *_: replace(dataset(), classes=("a", "b"))
    report = run(experiment(tmp_path), tmp_path / "out", Silent())
    assert report.runs[0].error and "has 2 classes" in report.runs[0].error.message and stages.engine.runs == 0


def test_ctrl_c_in_the_engine_keeps_what_it_had(engine: FakeEngine, tmp_path: Path) -> None:
    engine.finished = 7
    with pytest.raises(KeyboardInterrupt):
        run(experiment(tmp_path, "a", "b", expect=Expect(accuracy_min=0.0)), tmp_path / "out", Silent())
    report = Report.read(tmp_path / "out" / "report.json")
    [only] = report.runs
    assert only.samples == 7 and not only.complete and not report.complete
    assert not report.checks[0].passed, "7 samples prove nothing"


def test_an_engine_in_trouble_keeps_what_it_had_and_others_run(engine: FakeEngine, tmp_path: Path) -> None:
    engine.finished, engine.left = 7, EngineError("board 'b' went away", hint="plug it in")
    chosen = experiment(tmp_path, "a", "b", expect=Expect(accuracy_min=0.0))
    assert all(one.samples == 7 and one.accuracy is not None for one in run(chosen, tmp_path / "out", Silent()).runs)
    report = Report.read(tmp_path / "out" / "report.json")
    assert len(report.runs) == 4 and report.complete and report.exit_code == EngineError.exit_code
    for one in report.runs:
        assert not one.complete and one.error and "went away" in one.error.message
    assert not any(check.passed for check in report.checks)


def test_ctrl_c_elsewhere_keeps_the_runs_before(engine: FakeEngine, tmp_path: Path) -> None:
    engine.trouble = fail_at(2, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        run(experiment(tmp_path), tmp_path / "out", Silent())
    assert len(Report.read(tmp_path / "out" / "report.json").runs) == 1


def test_a_bug_keeps_the_runs_before(engine: FakeEngine, tmp_path: Path) -> None:
    engine.trouble = fail_at(2, ZeroDivisionError())
    with pytest.raises(ZeroDivisionError):
        run(experiment(tmp_path), tmp_path / "out", Silent())
    assert len(Report.read(tmp_path / "out" / "report.json").runs) == 1


def test_a_missing_engine_is_told_before_anything_takes_long(engine: FakeEngine, tmp_path: Path) -> None:
    engine.absent = MissingToolError("'qemu' is not installed", hint="apt-get install qemu")
    listener = Listener()
    with pytest.raises(MissingToolError, match="not installed"):
        run(experiment(tmp_path), tmp_path / "out", listener)
    assert listener.stages == []


def test_all_that_is_missing_is_told_at_once(
    engine: FakeEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine.absent = MissingToolError("'qemu' is not installed", hint="apt-get install qemu")
    absent = MissingToolError("training needs keras, which is not installed", hint="pip install mcusim[train]")
    monkeypatch.setattr(keras_setup, "missing", lambda: absent)
    to_train = experiment(tmp_path, models=(Model(name="a", architecture="cnn"),))
    with pytest.raises(MissingToolError, match="qemu") as caught:
        run(to_train, tmp_path / "out", Silent())
    [other] = caught.value.others
    assert "keras" in other.what and "'a' is to be trained" in other.what
    engine.absent = None
    with pytest.raises(MissingToolError, match="keras"):
        run(to_train, tmp_path / "out", Silent())
    trained = stamp(tmp_path / "out" / "models", to_train.models[0], 0)
    trained.parent.mkdir(parents=True)
    trained.write_text("{}")
    check_line(to_train, STAGES, tmp_path / "out")


def test_an_unknown_board_is_told_before_anything_takes_long(engine: FakeEngine, tmp_path: Path) -> None:
    listener = Listener()
    with pytest.raises(ConfigurationError, match="unknown board 'nucleo'"):
        run(experiment(tmp_path, target=Target(boards=("nucleo",))), tmp_path / "out", listener)
    assert listener.stages == []


def test_a_data_set_that_cannot_be_had_concerns_every_run(stages: FakeStages, tmp_path: Path) -> None:
    def load(*_: object) -> Dataset:
        raise DataError("no network")

    stages.load_dataset = load
    with pytest.raises(DataError, match="no network"):
        run(experiment(tmp_path), tmp_path / "out", Silent())
    report = Report.read(tmp_path / "out" / "report.json")
    assert report.error and report.error.message == "no network" and report.exit_code == 3
    assert (report.runs, report.planned, report.complete) == ((), 2, False)


def test_an_unwritable_folder_is_told_before_anything_takes_long(engine: FakeEngine, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    listener = Listener()
    with pytest.raises(OSError, match="file"):
        run(experiment(tmp_path), tmp_path / "file" / "out", listener)
    assert listener.stages == []


def test_an_earlier_report_is_kept_and_never_taken_for_the_new_one(engine: FakeEngine, tmp_path: Path) -> None:
    """However often a run ends before its first case is done."""
    out = tmp_path / "out"
    before = run(experiment(tmp_path), out, Silent())
    for number in (3, 4):
        engine.trouble = fail_at(number, KeyboardInterrupt())
        with pytest.raises(KeyboardInterrupt):
            run(experiment(tmp_path), out, Silent())
    assert Report.read(out / "report-before.json") == before
    now = Report.read(out / "report.json")
    assert (now.runs, now.planned, now.complete) == ((), 2, False)


@pytest.mark.parametrize("earlier", [b"", b"{}", b"\xff"])
def test_what_is_no_report_is_written_over(engine: FakeEngine, tmp_path: Path, earlier: bytes) -> None:
    (tmp_path / "report.json").write_bytes(earlier)
    assert run(experiment(tmp_path), tmp_path, Silent()) == Report.read(tmp_path / "report.json")
    assert not (tmp_path / "report-before.json").exists()


def test_mismatches_break_a_budget(engine: FakeEngine, tmp_path: Path) -> None:
    engine.answer = lambda outputs: outputs[::-1].copy()
    chosen = experiment(tmp_path, quantizations=(Quantization(data_type="int8"),), expect=Expect(mismatches_max=0))
    report = run(chosen, tmp_path / "out", Silent())
    [wrong] = report.runs
    assert wrong.mismatches and wrong.first_mismatch and wrong.first_mismatch.sample == 0
    assert report.exit_code == 7 and not report.checks[0].passed


def test_samples_that_are_answered_worst_are_told_and_kept(engine: FakeEngine, tmp_path: Path) -> None:
    report = run(experiment(tmp_path), tmp_path / "out", Silent())
    y = dataset().y_test
    assert y is not None
    for one in report.runs:
        by = [entry.by for entry in one.worst]
        assert by and by == sorted(by, reverse=True)
        assert all(entry.label == "abc"[y[entry.sample]] != entry.answered for entry in one.worst)
        assert sorted(kept(tmp_path / "out" / one.id)) == sorted(entry.sample for entry in one.worst)


def test_an_integer_run_tells_what_its_layers_hold(engine: FakeEngine, tmp_path: Path) -> None:
    real, whole = run(experiment(tmp_path), tmp_path / "out", Silent()).runs
    assert real.quantized == () and [one.name for one in whole.quantized] == [layer.name for layer in graph()]
    assert all(one.beyond is not None and one.so_far_db and one.so_far_db > 20 for one in whole.quantized)


def test_models_that_were_not_trained_are_refused_without_training(engine: FakeEngine, tmp_path: Path) -> None:
    untrained = experiment(tmp_path, models=(Model(name="m", architecture="mlp"),))
    report = run(untrained, tmp_path / "out", Silent(), may_train=False)
    assert report.runs[0].error and "has not been trained" in report.runs[0].error.message
    assert "mcusim train" in (report.runs[0].error.hint or "") and report.exit_code == 2


def test_the_report_and_the_header_say_how_samples_are_normalized(engine: FakeEngine, tmp_path: Path) -> None:
    def told(**normalize: Any) -> tuple[str | None, str]:
        chosen: Experiment = experiment(tmp_path, dataset=DatasetChoice(name="digits", **normalize))
        model = ready_model(Setting(chosen, tmp_path), next(chosen.cases()), Bench(Silent()))
        return run(chosen, tmp_path / "out", Silent()).runs[0].normalization, model.generated.library.files["model.h"]

    raw, header = told()
    assert raw == "none" and "as they are" in header and (raw, header) == told(normalize="none")
    fitted, header = told(normalize="z-score")
    assert fitted == "z-score (training set)" and "#define MODEL_INPUT_MEAN {" in header


def test_channels_are_fed_equally_where_a_quantization_says_so(
    stages: FakeStages, engine: FakeEngine, tmp_path: Path
) -> None:
    """What normalizes samples, in Python as in the header, and weights: not of the other runs of the same model."""
    x = np.random.default_rng(0).uniform(-1, 1, (SAMPLES, 4)).astype(np.float32)
    x[[0, 15], 0] = -60, 60  # so that it reaches more than twice as far as others, in its deviations
    stages.load_dataset = lambda *_: replace(dataset(), x_train=x, x_test=x)
    plain, equal = Quantization(data_type="int8"), Quantization(data_type="int8", equalize=True)
    chosen = experiment(
        tmp_path, dataset=DatasetChoice(name="digits", normalize="z-score"), quantizations=(FLOAT, plain, equal)
    )
    setting, bench = Setting(chosen, tmp_path), Bench(Silent())
    real, usual, fed = (ready_model(setting, case, bench) for case in chosen.cases())
    std = [one.origin.source.normalizations[""].std for one in (real, usual, fed)]
    assert std[0] == std[1] and [a / b for a, b in zip(std[1], std[2], strict=True)] == [1, 2, 2, 4]
    headers = [one.generated.library.files["model.h"] for one in (usual, fed)]
    assert headers[0] != headers[1] and f"{np.float32(std[2][1]):.9g}"[:6] in headers[1]
    answers = [one.generated.graph.decode(one.generated.graph.run(one.origin.x)) for one in (real, usual, fed)]
    errors = [float(np.square(one - answers[0]).mean()) for one in answers[1:]]
    assert errors[1] < errors[0]
    report = run(chosen, tmp_path / "out", Silent())
    assert [one.equalized for one in report.runs] == [False, False, True]
    assert [one.mismatches for one in report.runs] == [0, 0, 0]


def test_samples_are_chosen_by_class_and_seed(stages: FakeStages, tmp_path: Path) -> None:
    def chosen(seed: int) -> tuple[list[int], list[int]]:
        made = experiment(tmp_path, general=General(name="test", seed=seed), target=Target(engine="host", samples=12))
        model = float_model(Setting(made, tmp_path), made.models[0], 0, Bench(Silent()))
        labels = model.labels[""]
        assert labels is not None
        return model.positions.tolist(), np.bincount(labels).tolist()

    y = np.arange(SAMPLES) % 3 % 2  # class 1 at every third position
    stages.load_dataset = lambda *_: replace(dataset(), y_train=y, y_test=y)
    positions, classes = chosen(0)
    assert classes == [8, 4] and positions == sorted(set(positions))
    assert chosen(0) == (positions, classes) and chosen(1)[0] != positions and chosen(1)[1] == classes
