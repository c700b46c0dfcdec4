"""Source + samples -> FloatProof: the float model computes what the framework that it comes from computes.

The framework runs in a process of its own, which starts early and is awaited when a case ends. What it found is kept in
the cache: the same file, samples, graph and versions give the same proof.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import numpy as np

from mcusim.graph import Graph, Layer, Output
from mcusim.layers.softmax import Softmax
from mcusim.line.layer_by_layer import Difference, bound, distance, first_difference, shaken
from mcusim.models import format_of
from mcusim.models.reference import Values, read_answers, write_request
from mcusim.models.source import Source
from mcusim.reports.report import FloatProof
from mcusim.system import command
from mcusim.system.arrays import Array
from mcusim.system.cache import cache_folder
from mcusim.system.contents import digest_of
from mcusim.system.errors import ModelError
from mcusim.system.files import sha256_of, write_text
from mcusim.system.names import printable
from mcusim.system.records import fields_of
from mcusim.system.version import VERSION

SAMPLES = 16
LARGEST_ELEMENTS = 2**26  # of all layers over all samples: larger models are proved on fewer
WAIT_S = 300.0
FOLDED = 2e-6  # rounding unit of a whole network whose weights were folded: some ten times that of a single sum
HINT = "mcusim reads the model wrongly, please report it; proof = false in [[model]] runs it all the same"


@dataclass(frozen=True)
class Proved:
    """A proof, or why there is none."""

    proof: FloatProof | None = None
    reason: str | None = None


Proving = Callable[[], Proved]


def start_proof(path: Path, source: Source, x: Array, stack: ExitStack) -> Proving:
    """Starts the framework on a model file and `x`, samples as the model takes them; -> waits for what it found.

    That raises ModelError when they differ by more than rounding. The process ends with `stack` at the latest.
    """
    model_format = format_of(path)
    reference = model_format.REFERENCE
    against = reference.version() if reference else None
    if reference is None or against is None:
        reason = reference.install() if reference else f"{model_format.NAME} has no framework to ask"
        return lambda: Proved(reason=reason)
    if source.as_read.is_quantized and (why := getattr(reference, "NOT_OF_INTEGERS", None)):
        return lambda: Proved(reason=why)
    if source.unproved is not None:
        return lambda: Proved(reason=source.unproved)
    kept = cache_folder() / "float_proof" / f"{_key(path, source, x, against)}.json"
    if (before := _kept(kept)) is not None:
        return lambda: before
    try:
        made = tempfile.TemporaryDirectory(prefix="mcusim-proof-", ignore_cleanup_errors=True)
        folder, wanted = Path(stack.enter_context(made)), list(source.origins.values())
        given = list(fields_of(source.as_read.encode(x)).values())  # in the order of the model's inputs
        write_request(folder, model_format.NAME, path.absolute(), given, wanted)
    except OSError as error:
        reason = f"cannot write samples for {against}: {error.strerror or error}"
        return lambda: Proved(reason=reason)
    words = [sys.executable, "-m", "mcusim.models.reference_process", str(folder), str(os.getpid())]
    process = command.start(words, folder, {"PYTHONPATH": _packages()})
    stack.callback(command.stop, [process])

    def join() -> Proved:
        answers = _awaited(process, folder)
        if isinstance(answers, str):
            return Proved(reason=f"{against} does not run this model: {printable(answers)}")
        proved = Proved(FloatProof(against, len(x), compare(source, x, answers, against, path)))
        _keep(kept, proved)
        return proved

    return join


def _packages() -> str:
    """Where Python finds mcusim and what it found before. Not in the working folder: a `keras.py` there is none."""
    known = filter(None, os.environ.get("PYTHONPATH", "").split(os.pathsep))
    return os.pathsep.join([str(Path(__file__).parents[2]), *map(os.path.abspath, known)])


def samples_of(graph: Graph) -> int:
    """How many a proof takes."""
    return int(np.clip(LARGEST_ELEMENTS // sum(layer.elements for layer in graph), 1, SAMPLES))


def compare(source: Source, x: Array, theirs: Values, against: str, path: Path) -> float:
    """-> the largest difference of any output. Raises ModelError when it, or any layer, is beyond rounding."""
    graph = source.as_read
    known = {name: theirs.layers[origin] for name, origin in source.origins.items() if origin in theirs.layers}
    known |= {output.layer: value for output, value in zip(graph.outputs, theirs.outputs, strict=False)}
    difference = first_difference(graph, x, known, theirs.unit)
    if difference:
        raise _error(difference, source, against, path)
    if len(theirs.outputs) != len(graph.outputs):
        what = f"{against} finds {len(theirs.outputs)} outputs, mcusim {len(graph.outputs)}"
        raise ModelError(what, where=str(path), hint=HINT)
    ours = list(fields_of(graph.run(x)).values())
    _check_optimized(source, x, path)
    flat = [value.reshape(len(value), -1) for value in theirs.outputs]
    largest = max(float(distance(one, other).max(initial=0.0)) for one, other in zip(ours, flat, strict=True))
    if not np.isfinite(largest):
        what = f"an output is not finite where that of {against} is, though no layer differs: sums overflow"
        raise ModelError(what, where=str(path), hint=HINT)
    return largest


def _error(found: Difference, source: Source, against: str, path: Path) -> ModelError:
    origin = source.origins.get(found.layer)
    layer = "/".join(map(printable, origin.path)) if origin else found.layer
    what = (
        f"layer {layer!r} ({found.kind}) computes {found.ours:.6g} where {against} computes {found.theirs:.6g} "
        f"(sample {found.sample} of the proof): no layer before it differs"
    )
    return ModelError(what, where=str(path), hint=HINT)


def _check_optimized(source: Source, x: Array, path: Path) -> None:
    """What runs is the optimized graph: its outputs are those of the graph as it was read, bit for bit if quantized."""
    read = source.as_read
    ends = [_compared(read, *pair) for pair in zip(read.ends, source.graph.ends, strict=True)]
    read = replace(read, outputs=tuple(Output(str(number), end) for number, end in enumerate(ends)))
    made, wanted, moved = (
        fields_of(answers).values() for answers in (source.graph.run(x), read.run(x), read.run(shaken(x, FOLDED)))
    )
    for output, one, other, third in zip(source.graph.outputs, made, wanted, moved, strict=True):
        off = float(distance(one, other).max(initial=0.0))
        if off > (0.0 if read.is_quantized else bound(other, distance(other, third), FOLDED)):
            what = f"output {output.name!r} changes by {off:.3g} when the graph is optimized"
            raise ModelError(what, where=str(path), hint=HINT)


def _compared(read: Graph, end: Layer, made: Layer) -> str:
    """The layer as read whose output that of the optimized graph's end is: a softmax at the end may be dropped."""
    return end.inputs[0] if isinstance(end, Softmax) and not isinstance(made, Softmax) else end.name


def _awaited(process: subprocess.Popen[bytes], folder: Path) -> Values | str:
    try:
        process.wait(WAIT_S)
    except subprocess.TimeoutExpired:
        return f"no answer within {WAIT_S:.0f} s"
    finally:
        command.stop([process])
    return read_answers(folder)


def _key(path: Path, source: Source, x: Array, against: str) -> str:
    graphs = [(graph.layers, graph.outputs) for graph in (source.as_read, source.graph)]
    return digest_of((VERSION, against, SAMPLES, sha256_of(path), x, graphs))


def _kept(path: Path) -> Proved | None:
    try:
        return Proved(FloatProof(**json.loads(path.read_text(encoding="utf-8"))))
    except (OSError, ValueError, TypeError):
        return None


def _keep(path: Path, proved: Proved) -> None:
    with suppress(OSError):  # without a cache it takes longer, and that is all
        if proved.proof:
            write_text(path, json.dumps(asdict(proved.proof)))
