"""Model file + calibration samples -> the model as a file of another format, for those who take it along.

What is written is read again before anybody gets it: by our own reader, and by TensorFlow Lite Micro where it is
installed, layer by layer.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from mcusim import models
from mcusim.datasets.npz_file import training_samples
from mcusim.experiment.quantization import Quantization
from mcusim.graph import Graph, Layer
from mcusim.layers.add import Add
from mcusim.line import front
from mcusim.line.drop_unread import with_unread
from mcusim.line.float_proof import Proved, samples_of, start_proof
from mcusim.line.optimize import merged, optimize
from mcusim.line.quantize import AS_STORED, INTEGER_TYPES
from mcusim.line.stored import demand_type, with_types
from mcusim.models.source import Source
from mcusim.models.tflite.write import write
from mcusim.numbers.numbers import LINEAR
from mcusim.system.arrays import Array
from mcusim.system.errors import ModelError
from mcusim.system.records import fields_of, records_of
from mcusim.system.validation import COMMAND_LINE, validate

FORMATS: Mapping[str, Callable[[Graph], bytes]] = {"tflite": write}
WHERE = "mcusim convert"
SCHEME = "per-channel"  # where nobody says another
CLOSE = 1e-3  # of the largest real answer: operators of reals add up in an order of their own
MOST_SHOWN = 3
REPORT = "mcusim wrote the model wrongly, please report it"


@dataclass(frozen=True)
class Converted:
    """`notes`: what whoever feeds it has to know. `proof`: who computes the same, or why nobody was asked."""

    content: bytes
    graph: Graph
    notes: tuple[str, ...]
    proof: str


def convert(path: Path, to: str, calibration: Path | None, seed: int = 0, **words: str) -> Converted:
    """`to`: one of FORMATS. `words`, `calibration` and `seed` as `library_of_model` takes them.

    Raises ModelError for a model with layers, or numbers, that the other format has not: all of them.
    """
    told = "data_type" in words
    demand_type(told or models.may_hold_integers(path), WHERE)
    source = _read(path)
    demand_type(told or source.graph.is_quantized, WHERE)
    makes_integers = words.get("data_type") in INTEGER_TYPES and not source.graph.is_quantized
    scheme = {"scheme": SCHEME} if makes_integers else {}
    chosen = validate(Quantization, {"data_type": AS_STORED, **scheme, **words}, COMMAND_LINE)
    source = replace(source, graph=two_by_two(source.graph)) if makes_integers else source
    x, y = (None, None) if calibration is None else training_samples(calibration)
    x = None if x is None else source.arranged(x)
    source = front.fed_equally(source, x, chosen)
    graph = with_unread(
        front.quantized_graph(source, x, chosen, labels=y, seed=seed, unsigned=False), merged(source.as_read)
    )
    try:
        content = FORMATS[to](graph)
    except ModelError as error:
        raise ModelError(error.what, where=error.where or str(path), hint=error.hint) from None
    count = samples_of(graph)
    samples = _by_chance(graph, count) if x is None else source.normalized(x[:count])
    proved = _proved(content, to, graph, samples)
    return Converted(content, graph, tuple(_notes(source, graph)), _told(proved))


def _read(path: Path) -> Source:
    """As the file has it: no tensor is stored without a sign, and a softmax at the end stays."""
    source = models.read_model(path, path.stem)
    return with_types(replace(source, graph=optimize(source.graph), unoptimized=source.graph))


def two_by_two(graph: Graph) -> Graph:
    """Sums of more than two tensors as TFLite has them, one addend after the other."""
    layers, notes = list[Layer](), list(graph.notes)
    for layer in graph:
        if not isinstance(layer, Add) or len(layer.inputs) < 3:
            layers.append(layer)
            continue
        first, *others = layer.inputs
        for number, other in enumerate(others[:-1], start=1):
            name = f"{layer.name}_sum{number}"
            layers.append(replace(layer, name=name, inputs=(first, other), activation=LINEAR))
            first = name
        layers.append(replace(layer, inputs=(first, others[-1])))
        notes.append(
            f"{layer.name!r} adds {len(layer.inputs)} tensors, and TFLite two: its sums are rounded one by one"
        )
    return replace(graph, layers=tuple(layers), notes=tuple(notes))


def _by_chance(graph: Graph, count: int) -> Array:
    """Samples all over the range of integers; of reals some that are usual."""
    random = np.random.default_rng(0)

    def of(layer: Layer) -> Array:
        if layer.numbers is None:
            return random.normal(size=(count, *layer.shape)).astype(np.float32)
        q = random.integers(layer.numbers.minimum, layer.numbers.maximum + 1, (count, *layer.shape))
        return layer.numbers.decode(q)

    return records_of({layer.name: of(layer) for layer in graph.inputs})


def _proved(content: bytes, to: str, graph: Graph, samples: Array) -> Proved:
    """Raises ModelError where what was written computes something else."""
    with ExitStack() as stack:
        folder = tempfile.TemporaryDirectory(prefix="mcusim-convert-", ignore_cleanup_errors=True)
        path = Path(stack.enter_context(folder)) / f"{graph.name[:50]}.{to}"
        path.write_bytes(content)
        source = front.read_model(path)
        x = _renamed(samples, graph, source.graph)
        _demand_same(graph.run(samples), source.graph.run(x), exact=graph.is_quantized)
        return start_proof(path, source, x, stack)()


def _renamed(samples: Array, graph: Graph, read: Graph) -> Array:
    """Inputs as the file calls them, in their order."""
    parts = fields_of(samples)
    if len(graph.inputs) == 1:
        return samples
    return records_of({new.name: parts[old.name] for old, new in zip(graph.inputs, read.inputs, strict=True)})


def _demand_same(ours: Array, theirs: Array, *, exact: bool) -> None:
    for one, other in zip(fields_of(ours).values(), fields_of(theirs).values(), strict=True):
        off = np.abs(one.astype(np.float64) - other)
        if off.max(initial=0.0) > (0.0 if exact else CLOSE * max(1.0, float(np.abs(one).max(initial=0.0)))):
            raise ModelError(f"the file that was written gives other answers, by up to {off.max():.3g}", hint=REPORT)


def _told(proved: Proved) -> str:
    if proved.proof is None:
        return f"read again, the same; not proved further: {proved.reason}"
    found, off = proved.proof, proved.proof.max_difference
    same = "the same bits" if off == 0 else f"the same to {off:.1g}"
    return f"{found.against} computes {same} on {found.samples} samples"


def _notes(source: Source, graph: Graph) -> Iterator[str]:
    yield from graph.notes
    for name, normalization in source.normalizations.items():
        which = f"samples of {name!r}" if name else "samples"
        how = f"(x - {_shown(normalization.mean)}) / {_shown(normalization.std)}"
        yield f"the file takes {which} that are normalized: {how}"
    for name, order in source.input_orders.items():
        shape = next((layer.shape for layer in graph.inputs if layer.name == name), graph.inputs[0].shape)
        yield f"its input {name or graph.inputs[0].name!r} has the shape {shape}, not {order.shape}: channels come last"


def _shown(values: tuple[float, ...]) -> str:
    """Of the first channels."""
    shown = [f"{value:.6g}" for value in values[:MOST_SHOWN]] + [".."] * (len(values) > MOST_SHOWN)
    return shown[0] if len(shown) == 1 else f"[{', '.join(shown)}]"
