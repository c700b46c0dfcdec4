"""Reduced Graph + Dataset -> the same with tuned weights: trained now, or before of the very same.

A file is called by the digest of all that its weights depend on, and appears whole or not at all. What is damaged is
made again.
"""

import json
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from mcusim.datasets.targets import class_numbers
from mcusim.experiment.case import Case
from mcusim.graph import Graph
from mcusim.layers.weighted_sum import WeightedSum
from mcusim.line.bench import Bench
from mcusim.line.float_model import FloatModel
from mcusim.line.ready import Setting
from mcusim.line.validation import held_out, share_of
from mcusim.system.contents import digest_of
from mcusim.system.disk import WRITE_HINT
from mcusim.system.errors import ConfigurationError, DataError
from mcusim.system.files import write_bytes
from mcusim.system.names import file_name
from mcusim.system.packed import LARGEST_BYTES, pack, unpack
from mcusim.system.version import VERSION
from mcusim.training.settings import TuningSettings
from mcusim.training.surrogate import with_weights
from mcusim.training.tuning import TABLE, Answers, Lesson, tuned

SUFFIX = ".tuned"


def tuned_case(
    setting: Setting,
    case: Case,
    reduced: Callable[..., Graph],
    exact_graph: Callable[[], Graph],
    origin: FloatModel,
    bench: Bench,
) -> Graph:
    """What is left of the model, tuned; as it is where nobody wants that, or nothing was left out.

    `reduced` (step, begun): what is left of the model when that step ends, of what was tuned in those before.

    Raises DataError where there is nothing to learn from, ConfigurationError as `tuned` does, where the file cannot be
    written, and where nothing may be trained and was not before.
    """
    chosen = case.approximation.tuning if case.approximation else None
    if chosen is None:
        return reduced(step=1, begun=None)
    graph, lesson = None, None
    for step in range(1, chosen.steps + 1):
        graph = reduced(step=step, begun=graph)
        if graph.skipped or chosen.labels:
            lesson = lesson or _lesson(graph, setting, case, origin, chosen.labels)
            graph = _tuned(setting, case, chosen, graph, exact_graph(), lesson, bench)
    assert graph is not None
    return graph


def _tuned(
    setting: Setting,
    case: Case,
    chosen: TuningSettings,
    reduced: Graph,
    exact: Graph,
    lesson: Lesson,
    bench: Bench,
) -> Graph:
    settings, seed = case.model.training.of_tuning(chosen), setting.seed + case.repeat
    # Of all that the weights, and what is told of them, depend on.
    key = digest_of((VERSION, settings.model_dump(), seed, lesson, reduced.layers, exact.layers))
    path = setting.trained / f"{file_name(case.model.name)}+{key[:16]}{SUFFIX}"
    found = _kept(path, key, reduced)
    if found is None:
        if not setting.may_train:
            what = f"the weights of {case.model.name!r} have not been tuned with the settings of this experiment"
            raise ConfigurationError(what, where=str(path.parent), hint="mcusim run tunes them")
        bench.watcher.training(f"tuning {case.model.name}")
        found = tuned(reduced, exact, lesson, settings, seed, bench.watcher.learning)
        _keep(path, key, *found)
    graph, note = found
    return replace(graph, notes=(*graph.notes, note))


def _lesson(reduced: Graph, setting: Setting, case: Case, origin: FloatModel, labels: float) -> Lesson:
    """The same in all steps."""
    dataset = origin.fitted.dataset
    if len(reduced.inputs) > 1 or len(reduced.outputs) > 1:
        what = f"model {reduced.name!r} has {len(reduced.inputs)} inputs and {len(reduced.outputs)} outputs"
        raise ConfigurationError(f"{what}: only one and one is tuned", where=TABLE, hint="leave it out")
    if dataset.x_train is None or not len(dataset.x_train):
        hint = f"add x_train, or leave {TABLE} out"
        raise DataError(f"weights are tuned on training samples, and {dataset.name!r} has none", hint=hint)
    learned, held = held_out(dataset, share_of(case.model, setting.experiment), setting.seed + case.repeat)
    [judge] = origin.fitted.judges.values()
    is_choice = judge.task.NAME == "classification" and reduced.ends[0].elements > 1
    answers: Answers = "classes" if is_choice else "numbers"
    x, unseen = (origin.source.normalized(dataset.x_train[chosen]) for chosen in (learned, held))
    if not labels:
        return Lesson(x, unseen, answers)
    if not is_choice or dataset.y_train is None:
        what = f"labels = {labels:g} needs class labels of the training samples (y_train)"
        raise ConfigurationError(what, where=TABLE, hint="leave it out: tuning needs none")
    y = class_numbers(dataset.y_train, "training labels", reduced.ends[0].elements)
    return Lesson(x, unseen, answers, y[learned], labels)


def _kept(path: Path, key: str, reduced: Graph) -> tuple[Graph, str] | None:
    """None where nothing is, or nothing that fits."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        if path.stat().st_size > LARGEST_BYTES:
            return None
        text, arrays = unpack(path.read_bytes())
        told = json.loads(text)
        sums = [layer for layer in reduced if isinstance(layer, WeightedSum)]
        both = {layer.name: (arrays[f"{layer.name} kernel"], arrays[f"{layer.name} bias"]) for layer in sums}
        fit = all(both[one.name][0].shape == one.kernel.shape for one in sums)
        if told["key"] == key and fit:
            return with_weights(reduced, both), str(told["note"])
    return None


def _keep(path: Path, key: str, graph: Graph, note: str) -> None:
    arrays = {f"{one.name} {name}": array for one in graph for name, array in one.weights.items()}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, pack(json.dumps({"key": key, "note": note}), arrays))
    except OSError as error:
        what = f"cannot write {path.name!r}: {error.strerror or error}"
        raise ConfigurationError(what, where=str(path.parent), hint=WRITE_HINT) from None
