"""Two networks in one firmware: what is computed, what is left out, what it takes, and what can be no cascade."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcusim.experiment.cascade import Cascade as Table
from mcusim.experiment.cascade import Cascaded
from mcusim.experiment.read import read_experiment
from mcusim.experiment.tables import Model
from mcusim.explore.axes import space_of
from mcusim.graph import Graph
from mcusim.layers.cascade import Cascade, margins
from mcusim.line.bench import Bench
from mcusim.line.budgets import judged
from mcusim.line.cascade import joined
from mcusim.line.case import ready_model
from mcusim.line.hand_over import named
from mcusim.line.lower import lower
from mcusim.line.quantize import quantize
from mcusim.line.ready import ReadyModel, Setting
from mcusim.line.threshold import gone_on
from mcusim.line.watcher import Silent
from mcusim.numbers.formats import Format
from mcusim.pipeline import run
from mcusim.reports.report import Budget, Report, Run
from mcusim.system.arrays import Array
from mcusim.system.errors import ConfigurationError, DataError, McusimError
from tests.graphs import Builder
from tests.tflite_files import dense_file

TYPES = ("int8", "int16", "float32")
BOARDS = ("nucleo_l452re_p", "sparkfun_edge")
CASCADE = '[cascade]\nfirst = "small"\nthen = "big"\n'


def write(folder: Path, chosen: str = "threshold = 0.5", *, big: bytes | None = None, labels: str = "classes") -> Path:
    """Two networks of one layer that answer about half of their samples alike; the big one is mostly right."""
    (folder / "small.tflite").write_bytes(dense_file(seed=0))
    (folder / "big.tflite").write_bytes(dense_file(seed=1) if big is None else big)
    x, random = np.random.default_rng(0).normal(size=(600, 4)).astype(np.float32), np.random.default_rng(1)
    kernel, bias = random.normal(size=(3, 4)).astype(np.float32), random.normal(size=3).astype(np.float32)
    y = np.maximum(x @ kernel.T + bias, 0).argmax(axis=1)
    y = {"classes": y, "reals": x[:, :3], "turned": (y + 1) % 3}[labels]
    np.savez(folder / "data.npz", x_train=x[:500], y_train=y[:500], x_test=x[500:], y_test=y[500:])
    types = "".join(f'[[quantization]]\ndata_type = "{name}"\n' for name in TYPES)
    models = "".join(f'[[model]]\nfile = "{name}.tflite"\nproof = false\n' for name in ("small", "big"))
    path = folder / "exp.toml"
    path.write_text(f'[dataset]\nfile = "data.npz"\n{models}{CASCADE}{chosen}\nvalidation = 0.5\n{types}')
    return path


def ran(path: Path, engine: str, **choices: Any) -> Report:
    experiment = read_experiment(path).with_options(engine=engine, models=("small -> big",), jobs=1, **choices)
    return run(experiment, path.parent / "out", Silent())


def ready(path: Path) -> dict[str, ReadyModel]:
    """By model and type, on this machine."""
    experiment = read_experiment(path).with_options(engine="host")
    with Bench(Silent()) as bench:
        setting = Setting(experiment, path.parent / "out")
        return {case.quantized_label: ready_model(setting, case, bench) for case in experiment.cases()}


def test_the_graph_gives_the_answer_of_one_of_both(tmp_path: Path) -> None:
    """Of the first where its two largest numbers are so far apart, which is told here in another way."""
    models = ready(write(tmp_path))
    for data_type in ("int16", "float32"):
        first, then, both = (models[f"{name}, {data_type}"] for name in ("small", "big", "small -> big"))
        real = np.sort(first.generated.graph.decode(first.expected).astype(np.float64), axis=1)
        goes = real[:, -1] - real[:, -2] < 0.5
        assert 0.2 < goes.mean() < 0.8
        wanted = np.where(goes[:, None], then.expected, first.expected)
        assert np.array_equal(both.expected, wanted) and np.array_equal(both.gone_on, goes)


def test_answers_in_other_numbers_are_converted(tmp_path: Path) -> None:
    """To those that hold more: what the answer stands for changes by half a step at most."""
    models = ready(write(tmp_path))
    first, then, both = (models[f"{name}, int8"] for name in ("small", "big", "small -> big"))
    assert len({str(one.generated.graph.ends[0].numbers) for one in (first, then)}) == 2
    end = both.generated.graph.ends[0]
    assert end.numbers in [one.generated.graph.ends[0].numbers for one in (first, then)]
    step = float(np.ptp(end.numbers.decode(np.array([0, 1]))))
    alone = [one.generated.graph.decode(one.expected) for one in (first, then)]
    answers = both.generated.graph.decode(both.expected)
    assert both.gone_on is not None
    assert np.abs(answers - np.where(both.gone_on[:, None], alone[1], alone[0])).max() <= 0.51 * step


def test_host_computes_what_the_graph_does(tmp_path: Path) -> None:
    report = ran(write(tmp_path), "host")
    assert [one.error for one in report.runs] == [None] * 3 and {one.mismatches for one in report.runs} == {0}
    for one in report.runs:
        assert one.cascade is not None and one.cascade.networks == ("small", "big")
        assert 0.5 <= one.cascade.threshold < 0.55 and 0.2 < one.cascade.went_on < 0.8
        assert one.quantized == (), "that is told of its networks"
        assert one.cascade.latency_p95_ms is None and "networks are models" in str(one.no_float_proof)
    assert Report.from_json(report.to_json()) == report


@pytest.fixture(scope="module")
def on_boards(tmp_path_factory: pytest.TempPathFactory) -> Report:
    folder = tmp_path_factory.mktemp("boards")
    path = write(folder)
    path.write_text(path.read_text() + "[expect]\nlatency_p95_ms_max = 0.000001\nwent_on_max = 1.0\n")
    return ran(path, "qemu", boards=BOARDS, data_types=("int8",))


@pytest.mark.arm
def test_boards_leave_out_what_is_not_needed(on_boards: Report) -> None:
    runs = on_boards.runs
    assert [one.board for one in runs[:2]] == list(BOARDS) and {one.mismatches for one in runs} == {0}
    for one in runs:
        assert one.instructions is not None and one.cascade is not None
        assert one.instructions.min < one.instructions.mean < one.instructions.max
        went = (one.instructions.mean - one.instructions.min) / (one.instructions.max - one.instructions.min)
        assert went == pytest.approx(one.cascade.went_on, abs=0.05), "two ways, about"


@pytest.mark.arm
def test_latency_is_told_as_a_distribution(on_boards: Report) -> None:
    for one in on_boards.runs:
        assert one.cascade is not None and one.cycles is not None and one.latency_ms is not None
        assert one.cascade.latency_p95_ms is not None and one.cascade.latency_worst_ms is not None
        assert one.latency_ms < one.cascade.latency_p95_ms <= one.cascade.latency_worst_ms
        assert one.cascade.latency_worst_ms * one.clock_hz / 1000 < one.cycles.max + 0.1
        assert one.cycles.min < one.cycles.mean < one.cycles.max
        assert one.layers[-1].name.startswith("then.") and (one.layers[-1].cycles or 0) > 0


@pytest.mark.arm
def test_budgets_of_the_distribution(on_boards: Report) -> None:
    assert {(check.name, check.passed) for check in on_boards.checks} == {
        ("latency_p95_ms_max", False),
        ("went_on_max", True),
    }
    assert on_boards.exit_code == 7
    told = [str(check) for check in on_boards.broken]
    assert all(text.startswith("p95 of the latency ") and text.endswith("(latency_p95_ms_max)") for text in told)


def test_a_budget_of_a_cascade_is_none_of_a_network() -> None:
    run = Run(id="a", model="small", data_type="int8", board="b", engine="qemu", complete=True)
    [told] = judged(run, [Budget("went_on_max", run.id, 0.5)])
    assert not told.passed and "'small' is one network: name the cascade in [[expect_for]]" in str(told)


def network(filters: int, seed: int) -> Graph:
    builder = Builder((12, 2), seed=seed)
    builder.conv(filters)
    builder.add("Flatten")
    builder.dense(3)
    return builder.graph("cnn")


def cascaded(threshold: float = 0.5) -> Cascaded:
    small, big = (Model(name=name, architecture="cnn") for name in ("small", "big"))
    return Cascaded.of((small, big), Table(first="small", then="big", threshold=threshold))


def samples() -> Array:
    return np.random.default_rng(0).normal(size=(40, 12, 2)).astype(np.float32)


@pytest.mark.parametrize("widths", [(2, 6), (6, 2)])
def test_networks_share_the_arena(widths: tuple[int, int]) -> None:
    """It is as large as that of the larger one, wherever that stands; and what it is made of bears the same names."""
    x = samples()
    each = [quantize(network(width, seed), x, "int16") for seed, width in enumerate(widths)]
    program, alone = lower(joined(cascaded(), each)), [lower(graph) for graph in each]
    assert program.arena_bytes == max(one.arena_bytes for one in alone) > min(one.arena_bytes for one in alone) > 0
    assert len({step.function for step in program.steps}) == len(program.steps)
    [leaving] = [step for step in program.steps if step.leaves]
    assert leaving.name.startswith("first.") and leaving.sink.region == "output"


def test_the_library_has_an_entry_that_tells_who_answered(tmp_path: Path) -> None:
    library = named(ready(write(tmp_path))["small -> big, int16"].generated.library, "kws")
    assert "int kws_cascade(const int16_t input[" in library.files["kws_model.h"]
    body = library.files["kws_model.c"]
    assert body.count("return 0;") == body.count("return 1;") == 1 and "kws_cascade(input, output);" in body


def test_margins() -> None:
    answers = np.array([[127, -128, -128], [3, 3, 1], [-128, -128, -128], [0, 5, 2]], np.int8)
    assert margins(answers).tolist() == [255, 0, 0, 3]
    real = np.array([[np.nan, 1, 0.5], [np.inf, np.inf, 0], [np.nan] * 3, [np.inf, 1, 0]], np.float32)
    assert margins(real)[0] == 0.5 and np.isnan(margins(real)[1:3]).all() and margins(real)[3] == np.inf
    end = Cascade(name="end", inputs=("a", "b"), shape=(3,), threshold=0.25)
    assert end.goes_on(real).tolist() == [False, True, True, False], "what nobody can tell goes on"


def test_a_threshold_is_chosen_by_what_may_be_lost(tmp_path: Path) -> None:
    """On training samples, for each type by its own answers."""
    went = {}
    for drop in ("0pt", "10pt", "100pt"):
        folder = tmp_path / drop
        folder.mkdir()
        models = ready(write(folder, f'max_drop = "{drop}"'))
        cascades = [models[f"small -> big, {name}"] for name in TYPES]
        went[drop] = [float(one.gone_on.mean()) for one in cascades if one.gone_on is not None]
        for one in cascades:
            notes = [note for note in one.generated.notes if re.match(r"threshold \d", note)]
            assert len(notes) == 1 and "250 held-out training samples" in notes[0], "of its own numbers alone"
            assert any("may have learned" in note for note in one.generated.notes)
    assert went["100pt"] == [0.0] * 3
    for none, some in zip(went["0pt"], went["10pt"], strict=True):
        assert 0 < some < none


@pytest.mark.parametrize(("chosen", "runs"), [("threshold = 0.5", True), ('max_drop = "1pt"', False)])
@pytest.mark.parametrize("why", ["test samples among them", "none is held out"])
def test_who_gives_a_threshold_needs_no_samples_that_choose_it(
    tmp_path: Path, chosen: str, runs: bool, why: str
) -> None:
    path = write(tmp_path, chosen)
    if why == "none is held out":
        path.write_text(path.read_text().replace("validation = 0.5", "validation = 0.0001"))
    else:
        arrays = dict(np.load(tmp_path / "data.npz"))
        np.savez(tmp_path / "data.npz", **{**arrays, "x_test": arrays["x_train"], "y_test": arrays["y_train"]})
    if runs:
        assert ready(path)["small -> big, int16"].gone_on is not None
    else:
        refused(path)


def test_where_all_go_on_the_nearest_is_told(tmp_path: Path) -> None:
    """A small network that is sure where it is wrong."""
    folder = tmp_path
    path = write(folder, 'max_drop = "0pt"')
    (folder / "small.tflite").write_bytes(dense_file(seed=3))
    models = ready(path)
    for name, model in models.items():
        notes = [note for note in model.generated.notes if "nearest: " in note]
        on = model.gone_on
        assert bool(notes) == (on is not None and bool(on.all())), name


def refused(path: Path, model: str = "small -> big") -> McusimError:
    experiment = read_experiment(path).with_options(engine="host", models=(model,))
    report = run(experiment, path.parent / "out", Silent())
    error = report.runs[0].error
    assert error is not None and all(one.error for one in report.runs)
    kinds = {"ConfigurationError": ConfigurationError, "DataError": DataError}
    return kinds[error.kind](error.message, where=error.where, hint=error.hint)


@pytest.mark.parametrize(
    ("big", "what"),
    [
        (dense_file(units=4), "'small' and 'big' tell apart different things: 3 classes, and 4 classes"),
        (dense_file(elements=5), "samples of data set"),
    ],
)
def test_networks_that_are_none_of_one_task(tmp_path: Path, big: bytes, what: str) -> None:
    assert what in refused(write(tmp_path, big=big)).what


def test_who_is_no_classifier_is_refused(tmp_path: Path) -> None:
    error = refused(write(tmp_path, labels="reals"))
    assert "model 'small' has 1 input(s) and an output of 3 numbers, scored as regression" in error.what


def test_classes_in_another_order_are_noticed(tmp_path: Path) -> None:
    error = refused(write(tmp_path, 'max_drop = "1pt"', labels="turned"))
    assert isinstance(error, DataError) and "less than guessing" in error.what and "in their order" in str(error.hint)


def test_a_threshold_that_no_integers_have_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, "threshold = 1e9")
    path.write_text(path.read_text().replace('[[quantization]]\ndata_type = "float32"\n', ""))
    assert "is more than any margin of" in refused(path).what


@pytest.mark.parametrize(
    ("chosen", "what"),
    [
        ("", "needs either 'threshold' or 'max_drop'"),
        ('threshold = 1.0\nmax_drop = "1pt"', "needs either 'threshold' or 'max_drop'"),
        ("threshold = -1.0", "'threshold' is -1.0"),
        ('max_drop = "3%"', "of a share, percent may be points"),
        ("treshold = 1.0", "unknown key 'treshold'"),
    ],
)
def test_mistakes_in_the_table(tmp_path: Path, chosen: str, what: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        read_experiment(write(tmp_path, chosen))
    assert what in caught.value.what and "cascade" in str(caught.value.where)


@pytest.mark.parametrize(
    ("before", "after", "what"),
    [
        ('then = "big"', 'then = "bog"', "no model 'bog'"),
        ('then = "big"', 'then = "small"', "model 'small' is there twice"),
        ('then = "big"', 'then = ["big", "bigger"]', "'then' is ["),
        ('file = "big.tflite"', 'file = "small.tflite"\nname = "big"', "'small' and 'big' are the same file"),
        ('[dataset]\nfile = "data.npz"\n', "", "there is no [dataset]"),
    ],
)
def test_models_that_cannot_be(tmp_path: Path, before: str, after: str, what: str) -> None:
    path = write(tmp_path, 'max_drop = "1pt"')
    path.write_text(path.read_text().replace(before, after))
    with pytest.raises(ConfigurationError) as caught:
        read_experiment(path)
    assert what in caught.value.what


def test_explorations_have_no_cascades(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="a cascade cannot be explored"):
        space_of(read_experiment(write(tmp_path)), {})
    path = write(tmp_path)
    path.write_text(path.read_text() + '[explore.axes]\n"cascade.threshold" = [0.1, 0.2]\n')
    with pytest.raises(ConfigurationError, match=r"axis 'cascade.threshold': a cascade cannot be explored"):
        read_experiment(path)


def test_one_that_reads_other_numbers_is_refused() -> None:
    x = samples()
    each = [quantize(network(2, 0), x, "int16"), quantize(network(2, 1), 100 * x, "int16")]
    with pytest.raises(ConfigurationError, match="read different things: Q"):
        joined(cascaded(), each)


def test_integers_and_reals_have_no_common_answer() -> None:
    x = samples()
    graph = quantize(network(2, 0), x, "int16")
    ends = replace(graph.ends[0], numbers=None)
    real = replace(graph, layers=(*graph.layers[:-1], ends))
    assert isinstance(graph.ends[0].numbers, Format)
    with pytest.raises(ConfigurationError, match="answer in different things"):
        joined(cascaded(), [graph, real])


def test_of_any_other_graph_nothing_is_left_out() -> None:
    assert gone_on(network(2, 0), samples()) is None
