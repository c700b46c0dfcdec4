"""A classifier of Keras, quantized by mcusim and by TensorFlow Lite from the same samples -> accuracies of both.

    python -m tools.quantizer_compare model.keras data.npz --samples 100 --samples 1000 --seeds 8

TensorFlow Lite's is int8, ours that or `--data-type`; its files run as TensorFlow Lite Micro computes. `p`: McNemar's
exact test; how likely chance alone sets two that are as good as each other so far apart. Of a test set of thousands it
decides what a tenth of a point is worth.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np

from mcusim.datasets.sampling import choose
from mcusim.experiment.quantization import Quantization
from mcusim.line.front import quantized_graph, read_model
from mcusim.reports.decisions import mcnemar
from mcusim.system.arrays import Array
from mcusim.system.errors import MissingToolError
from tools.command import end

INT8 = "int8"


@dataclass(frozen=True)
class Compared:
    """Which test samples (N,) are answered rightly: by the real model, by ours, by TensorFlow Lite's."""

    real: Array
    ours: Array
    theirs: Array

    def __str__(self) -> str:
        pairs = ("mcusim", self.ours, self.real), ("TFLite", self.theirs, self.real), ("both", self.ours, self.theirs)
        return "   ".join(f"{name} {_told(first, second)}" for name, first, second in pairs)


def main(arguments: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    if find_spec("tensorflow") is None:
        raise MissingToolError("TensorFlow is not installed", hint="pip install 'mcusim[train]'")
    print("points of accuracy against float, and mcusim's against TFLite's (right alone : wrong alone, p)")
    differences: list[float] = []
    for count in options.samples or [Quantization(data_type=options.data_type).calibration_samples]:
        for seed in range(options.seeds):
            found = compared(options.model, options.data, count, seed, options.data_type)
            differences.append(points(found.ours, found.theirs))
            print(f"{count:>5} samples, seed {seed}   {found}", flush=True)
    told = f"mean {np.mean(differences):+.3f}, worst {min(differences):+.3f}, best {max(differences):+.3f}"
    print(f"mcusim against TFLite, {len(differences)} choices: {told}")
    return 0


def compared(model: Path, data: Path, count: int, seed: int, data_type: str = INT8) -> Compared:
    """`data`: raw x_train, y_train, x_test, y_test. `count`, `seed`: of calibration samples, as in an experiment.
    `data_type`: of ours."""
    with np.load(data) as arrays:
        x, y, x_test, y_test = (arrays[name] for name in ("x_train", "y_train", "x_test", "y_test"))
    source = read_model(model)
    ours = quantized_graph(source, x, Quantization(data_type=data_type, calibration_samples=count), labels=y, seed=seed)
    with tempfile.TemporaryDirectory(prefix="mcusim-compare-") as folder:
        path = Path(folder) / "theirs.tflite"
        path.write_bytes(converted(model, source.normalized(x[choose(len(x), count, y, seed)])))
        theirs = read_model(path).graph
    taken = source.normalized(x_test)
    return Compared(*(graph.run(taken).argmax(axis=1) == y_test for graph in (source.graph, ours, theirs)))


def converted(model: Path, samples: Array) -> bytes:
    """By TensorFlow Lite's converter, all of it int8, as its documentation has it."""
    import keras
    import tensorflow

    def some() -> Iterator[list[Any]]:
        for sample in samples:
            yield [sample[None].astype(np.float32)]

    converter = tensorflow.lite.TFLiteConverter.from_keras_model(keras.models.load_model(model))
    converter.optimizations = [tensorflow.lite.Optimize.DEFAULT]
    converter.representative_dataset = some
    converter.target_spec.supported_ops = [tensorflow.lite.OpsSet.TFLITE_BUILTINS_INT8]
    converter.inference_input_type = converter.inference_output_type = tensorflow.int8
    with redirect_stdout(StringIO()):  # where it tells its signature
        return bytes(converter.convert())


def points(first: Array, second: Array) -> float:
    return 100 * float(np.mean(first) - np.mean(second))


def _told(first: Array, second: Array) -> str:
    alone, missed = int((first & ~second).sum()), int((second & ~first).sum())
    return f"{points(first, second):+.3f} ({alone}:{missed}, {mcnemar(alone, missed):.3f})"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description="Our int8 beside that of TensorFlow Lite, from the same samples.")
    parser.add_argument("model", type=Path, help="a classifier of Keras")
    parser.add_argument("data", type=Path, help=".npz of x_train, y_train, x_test, y_test")
    parser.add_argument("--samples", type=int, action="append", metavar="N", help="that choose scales; again for more")
    parser.add_argument("--data-type", default=INT8, metavar="T", help="ours; TensorFlow Lite's stays int8")
    parser.add_argument("--seeds", type=int, default=1, metavar="N", help="choices of so many samples")
    return parser


if __name__ == "__main__":
    end(main)
