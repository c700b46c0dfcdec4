"""Model file + data file -> the text of an experiment file, with what was found out about them in its comments.

What is guessed is said, with the key that overrules it. Budgets are what the float model and the boards allow, as a
start for tighter ones.
"""

import json
import math
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from mcusim.boards.board import Board
from mcusim.boards.load import board_names, load_board
from mcusim.experiment.experiment import Experiment
from mcusim.experiment.quantization import Quantization
from mcusim.experiment.tables import DatasetChoice, General, Model, Target
from mcusim.graph import Graph
from mcusim.line.bench import Bench
from mcusim.line.case import dataset_of, float_model
from mcusim.line.float_model import FloatModel
from mcusim.line.misfed import chance, misfed
from mcusim.line.quantize import AS_STORED
from mcusim.line.ready import Setting
from mcusim.models.source import NO_SHAPES, Shapes
from mcusim.reports.figures import BUDGETS
from mcusim.system.errors import ModelError
from mcusim.system.names import printable

SAMPLES = 1000  # of the test set, that tell what the float model can do
SLACK = 0.02  # of a share that a budget leaves to quantization and chance
COLUMN = 30  # where comments begin
Line = tuple[str, str]  # TOML, comment


def draft(model: Path, data: Path | None, folder: Path, bench: Bench) -> tuple[str, tuple[str, ...]]:
    """The experiment file to be written into `folder`, and what its author should know.

    Raises ModelError or DataError when the two cannot be run.
    """
    dataset = DatasetChoice(file=str(data.absolute())) if data else DatasetChoice()
    experiment = Experiment(
        path=folder / "experiment.toml",
        general=General(name=model.stem or "experiment"),
        dataset=dataset,
        models=(Model(file=model.absolute()),),
        quantizations=(Quantization(data_type=AS_STORED),),
        target=Target(samples=SAMPLES),
    )
    read, shapes = _read(Setting(experiment, folder), bench)
    boards, graph = [load_board(name) for name in board_names()], read.source.graph
    size = f"{graph.parameters:,} parameters, {graph.macs:,} multiply-accumulates"
    tables: Sequence[tuple[str, Sequence[Line]]] = (
        ("[dataset]", list(_dataset(read, data, folder))),
        ("[task]", list(_task(read))),
        ("[[model]]", [(f"file = {_text(_relative(model, folder))}", size), *_told(shapes)]),
        *_quantizations(read),
        ("[target]", list(_target(boards))),
        ("[expect]", list(_budgets(read, boards))),
    )
    head = [
        f"# {printable(model.name)}: {_shapes(graph)}.",
        "# Written by `mcusim init`. `mcusim run` reads it; docs/experiment.md explains every key.",
    ]
    lines = [*head, *(line for table in tables if table[1] for line in ["", *_table(*table)])]
    doubts = filter(None, (misfed(read.source, read.fitted, experiment.general.seed), _no_better(read)))
    return "\n".join(lines) + "\n", (*graph.notes, *read.fitted.notes, *doubts)


def _read(setting: Setting, bench: Bench) -> tuple[FloatModel, Shapes]:
    """With the shapes of the samples, where the file leaves axes open that only they tell."""
    [model] = setting.experiment.models
    try:
        return float_model(setting, model, 0, bench), NO_SHAPES
    except ModelError:
        shapes = dataset_of(setting, bench).inputs if setting.experiment.dataset.is_there else NO_SHAPES
        with suppress(ModelError):
            told = model.model_copy(update={"input_shape": shapes})
            return float_model(setting, told, 0, Bench(bench.watcher, bench.stages)), shapes
        raise


def _told(shapes: Shapes) -> Iterator[Line]:
    told = {name: str([*shape]) for name, shape in shapes.items()}
    each = ", ".join(f"{_text(name)} = {shape}" for name, shape in told.items())
    if told:
        yield f"input_shape = {told.get('', f'{{ {each} }}')}", "that of the samples: the file leaves axes open"


def _no_better(read: FloatModel) -> str | None:
    """Of a model that is hardly better than none: it was trained on other samples, or other numbers of classes."""
    accuracy, labels = read.scores[0], [*read.labels.values()]
    if accuracy is None or len(labels) > 1:
        return None
    always = chance(labels[0])
    if float(_limit(accuracy, higher=True, share=True)) > always:
        return None
    told = f"the model's accuracy is {accuracy:.1%}, always the same answer would have {always:.1%}"
    return f"{told}: no budget is made of it. Are classes numbered as the model's outputs are?"


def _table(name: str, lines: Sequence[Line]) -> Iterator[str]:
    has_keys = any(not toml.startswith("#") for toml, _ in lines)
    yield name if has_keys else f"# {name}"
    for toml, comment in lines:
        yield f"{toml:{COLUMN}} # {printable(comment)}" if comment else toml


def _dataset(read: FloatModel, data: Path | None, folder: Path) -> Iterator[Line]:
    dataset = read.fitted.dataset
    if data is None:
        yield '# file = "data.npz"', "x_test and y_test, and x_train to choose the scales of integers"
        return
    train = 0 if dataset.x_train is None else len(dataset.x_train)
    yield f"file = {_text(_relative(data, folder))}", f"{train:,} training and {len(dataset.x_test):,} test samples"
    kept = "samples are normalized by the statistics that the model's file keeps"
    raw = "the model is fed raw samples; z-score is for one that was trained on normalized ones"
    yield '# normalize = "z-score"', kept if read.source.normalizations else raw


def _task(read: FloatModel) -> Iterator[Line]:
    judges = read.fitted.judges
    named = len(judges) > 1
    kinds = ", ".join(f"{json.dumps(name)} = {_text(judge.task.NAME)}" for name, judge in judges.items())
    only = _text(next(iter(judges.values())).task.NAME)
    yield f"kind = {f'{{ {kinds} }}' if named else only}", "guessed from the model's end and the targets"


def _quantizations(read: FloatModel) -> Sequence[tuple[str, Sequence[Line]]]:
    graph, name = read.source.graph, "[[quantization]]"
    if graph.is_quantized:
        told = f"the file holds {graph.data_type}, which runs as it is"
        return [(name, [(f'data_type = "{AS_STORED}"', told)])]
    integers = 'data_type = "int8"', "a quarter of the memory; int16 loses nothing, as a rule"
    if read.fitted.dataset.x_train is None:
        integers = '# data_type = "int8"', "an x_train in the data file has to choose the scales of integers"
    return [(name, [('data_type = "float32"', "as it was trained")]), (name, [integers])]


def _target(boards: Sequence[Board]) -> Iterator[Line]:
    names = ", ".join(_text(board.name) for board in boards)
    yield f"boards = [{names}]", ""
    yield '# engine = "qemu"', "the default; `mcusim engines` lists others"
    yield "# samples = 1000", "all of the test set, when it is left out"


def _budgets(read: FloatModel, boards: Sequence[Board]) -> Iterator[Line]:
    yield from _score_budgets(read)
    yield "mismatches_max = 0", "bit for bit what the quantized model computes"
    rom, ram = (min(getattr(board.memory, part).size_bytes for board in boards) for part in ("flash", "ram"))
    yield f"rom_bytes_max = {rom:_}", "flash of the smallest board"
    yield f"ram_bytes_max = {ram:_}", "RAM of the smallest board"
    yield "# latency_ms_max = 100", "run it once to see what is possible"


def _score_budgets(read: FloatModel) -> Iterator[Line]:
    """Limits a little worse than the float model's scores; of several the first holds, the others are offered."""
    accuracy, scores = read.scores
    known: Mapping[str, float | None] = {"accuracy": accuracy, **{f"scores.{key}": one for key, one in scores.items()}}
    mark = "# " if _no_better(read) else ""
    for name, (budget, figure) in BUDGETS.items():
        value = known.get(figure.key)
        if value is not None and math.isfinite(value) and not (budget.limit == "share" and value < 0):
            limit = _limit(value, higher=figure.better == "higher", share=budget.limit == "share")
            model = "model" if read.source.graph.is_quantized else "float model"
            told = f"{figure.name} of the {model}: {figure.amount(value)}, on {len(read.x):,} samples"
            yield f"{mark}{name} = {limit}", told
            mark = "# "


def _limit(value: float, *, higher: bool, share: bool) -> str:
    if share:
        return f"{max(0.0, math.floor((value - SLACK) * 100) / 100):.2f}"
    slack = 0.1 * abs(value)
    return f"{value - slack if higher else value + slack:.3g}"


def _shapes(graph: Graph) -> str:
    def told(shapes: Sequence[tuple[int, ...]]) -> str:
        return " and ".join(" x ".join(map(str, shape)) for shape in shapes)

    answers = told([tensor.shape for tensor in graph.output_tensors])
    return f"takes samples of {told([layer.shape for layer in graph.inputs])} numbers, answers {answers}"


def _relative(path: Path, folder: Path) -> str:
    return os.path.relpath(path.absolute(), folder.absolute())


def _text(value: str) -> str:
    """As TOML writes a text: JSON's escapes are TOML's, but for \\u007f and lone surrogates, which no file has."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
