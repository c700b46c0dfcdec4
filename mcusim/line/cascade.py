"""Two models of one task -> one Source: a small network first, a big one where the small one is not sure.

Both are quantized as they would be alone, and joined then: what a cascade computes is what its Graph does, which runs
both networks and takes one answer, and the firmware leaves out what is not needed for it. Layers are called
`first.layer` and `then.layer`.
"""

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mcusim.experiment.cascade import Cascaded
from mcusim.experiment.tables import TaskChoice
from mcusim.graph import Graph, Layer, Output
from mcusim.layers.cascade import Cascade
from mcusim.layers.convert import Convert
from mcusim.line.float_model import Answering, FloatModel
from mcusim.line.quantize import make_scheme
from mcusim.line.threshold import WHERE, thresholded
from mcusim.models.source import Source
from mcusim.numbers import affine
from mcusim.numbers.between import affine_of
from mcusim.numbers.formats import Format
from mcusim.numbers.numbers import Conversion, Numbers
from mcusim.system.errors import ConfigurationError
from mcusim.tasks.none import NAME as NONE

PREFIXES, END, ANSWER = ("first", "then"), "cascade", "answer"  # names of layers
ANSWERS = tuple(f"{prefix}.{ANSWER}" for prefix in PREFIXES)
FLOAT = "float32"
MOST_BITS = 16  # of answers


def cascade_of(model: Cascaded, each: Sequence[FloatModel], choice: TaskChoice, seed: int) -> FloatModel:
    """What the float networks of a cascade make of the test samples together. `choice`: [task] of the experiment.

    Raises ConfigurationError or DataError for networks that are none of one task, and as `thresholded`.
    """
    first, then = each
    _demand_alike(model, first, then)
    graph = joined(model, [one.source.graph for one in each])
    graph = thresholded(graph, model, first, choice, seed)
    source = Source(graph, first.source.normalizations, first.source.fitted)
    return replace(first, source=source, answering=Answering(graph, first.x))


def _demand_alike(model: Cascaded, first: FloatModel, then: FloatModel) -> None:
    """Raises ConfigurationError unless both tell the same classes of the same samples."""
    names, sources = [one.name for one in model.networks], [one.source for one in (first, then)]
    for name, one in zip(names, (first, then), strict=True):
        judges, inputs = list(one.fitted.judges.values()), one.source.graph.inputs
        tasks = ", ".join(judge.task.NAME for judge in judges)
        if len(inputs) > 1 or tasks not in ("classification", NONE) or judges[0].asked.elements < 2:
            answer = "several outputs" if len(judges) > 1 else f"an output of {judges[0].asked.elements} numbers"
            what = f"model {name!r} has {len(inputs)} input(s) and {answer}, scored as {tasks}"
            hint = "a cascade is of classifiers: one input, one output with a number for each class"
            raise ConfigurationError(what, where=WHERE, hint=hint)
    for verb, told in {
        "take samples of": [str(source.graph.inputs[0].shape) for source in sources],
        "tell apart": [f"{source.graph.ends[0].elements} classes" for source in sources],
        "are fed": [f"samples with normalization {source.normalization!r}" for source in sources],
    }.items():
        if told[0] != told[1]:
            raise _unlike(names, verb, *told)
    if not np.array_equal(first.x, then.x):
        raise _unlike(names, "are fed", "samples normalized by the statistics of its file", "by others")


def _unlike(names: Sequence[str], verb: str, one: str, other: str, hint: str = "") -> ConfigurationError:
    what = f"models {names[0]!r} and {names[1]!r} {verb} different things: {one}, and {other}"
    return ConfigurationError(what, where=WHERE, hint=hint or "name two models that were trained on the same samples")


def joined(model: Cascaded, graphs: Sequence[Graph]) -> Graph:
    """Both networks, and the choice of an answer by the threshold that the file names, or 0 where it names none.

    Raises ConfigurationError where one sample cannot be the same numbers for both, or answers cannot be.
    """
    names, (first, then) = [one.name for one in model.networks], map(_prefixed, graphs, PREFIXES)
    [entry], [other] = first.inputs, then.inputs
    if entry.numbers != other.numbers:
        hint = "quantize both in one way, on the same samples: there is one copy of a sample in memory"
        raise _unlike(names, "read", str(entry.numbers or FLOAT), str(other.numbers or FLOAT), hint)
    behind = (
        replace(layer, inputs=tuple(entry.name if name == other.name else name for name in layer.inputs))
        for layer in then
        if layer is not other
    )
    numbers = _common(names, first.ends[0].numbers, then.ends[0].numbers)
    answers = [_answer(graph.ends[0], numbers, prefix) for graph, prefix in zip((first, then), PREFIXES, strict=True)]
    end = Cascade(
        name=END,
        inputs=tuple(answer.name for answer in answers),
        shape=(first.ends[0].elements,),
        numbers=numbers,
        threshold=_in_numbers(model.chosen.threshold or 0.0, numbers),
    )
    converted = [[answer] if isinstance(answer, Convert) and answer.name in ANSWERS else [] for answer in answers]
    return replace(
        first,
        name=model.name,
        layers=(*first, *converted[0], *behind, *converted[1], end),
        outputs=(Output("output", END),),
        notes=tuple(dict.fromkeys(note for graph in graphs for note in graph.notes)),
        skipped=(*first.skipped, *then.skipped),
    )


def _prefixed(graph: Graph, prefix: str) -> Graph:
    """Names of layers are those of a file: two networks may have the same."""
    return replace(
        graph,
        layers=tuple(
            replace(layer, name=f"{prefix}.{layer.name}", inputs=tuple(f"{prefix}.{name}" for name in layer.inputs))
            for layer in graph
        ),
        outputs=tuple(replace(output, layer=f"{prefix}.{output.layer}") for output in graph.outputs),
        skipped=tuple(replace(one, layer=f"{prefix}.{one.layer}") for one in graph.skipped),
    )


def _common(names: Sequence[str], one: Numbers | None, other: Numbers | None) -> Numbers | None:
    """Of two answers those that hold more, so that nothing saturates."""
    if one == other:
        return one
    told = [str(numbers or FLOAT) for numbers in (one, other)]
    if one is None or other is None or isinstance(one, Format) != isinstance(other, Format):
        raise _unlike(names, "answer in", *told)
    if not all(numbers.bits <= MOST_BITS and numbers.minimum < 0 for numbers in (one, other)):
        raise _unlike(names, "answer in", *told)
    return max(one, other, key=lambda numbers: (numbers.dtype.itemsize, affine_of(numbers).scale * 2.0**numbers.bits))


def _answer(end: Layer, numbers: Numbers | None, prefix: str) -> Layer:
    """The end of a network, converted where its numbers are others."""
    have = end.numbers
    if have == numbers or have is None or numbers is None:
        return end
    if isinstance(numbers, Format):
        made: Conversion = make_scheme(f"int{numbers.bits}", "per-layer", None, "nearest").conversion(have, numbers)
    else:
        made = affine.conversion(affine_of(have), affine_of(numbers))
    return Convert(name=f"{prefix}.{ANSWER}", inputs=(end.name,), shape=end.shape, numbers=numbers, conversion=made)


def _in_numbers(threshold: float, numbers: Numbers | None) -> float:
    """The least margin of integers that is as large in reals. Raises ConfigurationError for one that none has."""
    if numbers is None:
        return float(np.float32(threshold))
    scale, most = affine_of(numbers).scale, numbers.maximum - numbers.minimum
    if threshold > most * scale:
        what = f"threshold {threshold:g} is more than any margin of {numbers}: every sample would go on"
        raise ConfigurationError(what, where=WHERE, hint=f"give one up to {most * scale:.4g}")
    return math.ceil(threshold / scale)
