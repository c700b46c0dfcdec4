"""Samples of the test set -> a small file of them in a run's folder, which pages show: images and signals, not larger.

Whoever shows a report has neither data set nor time to load it.
"""

import base64
import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from mcusim.system.arrays import Array, without_ones
from mcusim.system.errors import McusimError
from mcusim.system.files import forget, read_file, write_text
from mcusim.system.records import fields_of

FILE, FORMAT = "samples.json", 1
LARGEST_FILE_BYTES = 2**22
LONGEST_SIDE, SHORTEST_SIDE = 64, 4  # pixels of an image
MOST_STEPS, MOST_CHANNELS, MOST_PARTS = 256, 12, 4
COLOURS = (1, 3)
Kind = Literal["image", "signal"]


@dataclass(frozen=True, eq=False)
class Part:
    """Of one input: an image (height, width, 1 or 3) uint8, or a signal (steps, channels) float32."""

    name: str
    kind: Kind
    values: Array


def keep(folder: Path, x: Array, samples: Iterable[int]) -> None:
    """Those of `x` (N, *shape), the test set, records where there are several inputs. Raises OSError."""
    wanted = sorted(set(samples))
    rows = fields_of(x[wanted])
    parts = [[pictured(name, x[row]) for name, x in [*rows.items()][:MOST_PARTS]] for row in range(len(wanted))]
    _write(folder, dict(zip(wanted, parts, strict=True)))


def keep_of(folder: Path, others: Iterable[Path], samples: Iterable[int]) -> None:
    """Those that other folders keep, of runs of parts of the test set. Raises OSError."""
    there = {sample: parts for other in others for sample, parts in kept(other).items()}
    _write(folder, {sample: there[sample] for sample in sorted(set(samples)) if sample in there})


def _write(folder: Path, samples: Mapping[int, Sequence[Part | None]]) -> None:
    forget(folder / FILE)  # that of an earlier run
    if samples:
        told = [{"sample": sample, "parts": [_told(part) for part in parts]} for sample, parts in samples.items()]
        write_text(folder / FILE, json.dumps({"format": FORMAT, "samples": told}) + "\n")


def kept(folder: Path) -> Mapping[int, tuple[Part, ...]]:
    """What can be shown, by the index of the sample; nothing where there is no such file, or no good one."""
    try:
        document = json.loads(read_file(folder / FILE, LARGEST_FILE_BYTES, hint="run the experiment again"))
        return {int(one["sample"]): tuple(_read(part) for part in one["parts"] if part) for one in document["samples"]}
    except (McusimError, ValueError, TypeError, KeyError, RecursionError):
        return {}


def _told(part: Part | None) -> dict[str, Any] | None:
    if part is None:
        return None
    data = base64.b64encode(np.ascontiguousarray(part.values).tobytes()).decode()
    return {"name": part.name, "kind": part.kind, "shape": part.values.shape, "values": data}


def _read(told: Mapping[str, Any]) -> Part:
    kind, shape, name = told["kind"], tuple(map(int, told["shape"])), str(told["name"])
    image = kind == "image" and len(shape) == 3 and shape[2] in COLOURS and max(shape) <= LONGEST_SIDE
    signal = kind == "signal" and len(shape) == 2 and shape[0] <= MOST_STEPS and shape[1] <= MOST_CHANNELS
    if not (image or signal) or min(shape) < 1:
        raise ValueError(f"{shape} is no {kind}")
    values = np.frombuffer(base64.b64decode(told["values"], validate=True), np.uint8 if image else "<f4")
    return Part(name, kind, values.reshape(shape))


def pictured(name: str, x: Array) -> Part | None:
    """As it may be shown; None of what is neither an image nor a signal."""
    shape = without_ones(x.shape)
    channels = shape[-1] if len(shape) == 2 and (x.ndim == 2 or x.shape[-1] != 1) else 1
    if len(shape) == 3 and shape[2] in COLOURS:
        return _image(name, x.reshape(shape), x.dtype)
    if len(shape) == 2 and (channels == 1 or channels > MOST_CHANNELS):
        return _image(name, x.reshape(*shape, 1), x.dtype)
    if len(shape) in (1, 2):
        every = math.ceil(shape[0] / MOST_STEPS)
        return Part(name, "signal", x.reshape(shape[0], -1)[::every].astype("<f4"))
    return None


def _image(name: str, x: Array, dtype: np.dtype[Any]) -> Part | None:
    """Smaller by a whole number, each pixel the mean of those that it stands for; 0 is black where that is known."""
    height, width, colours = x.shape
    by = math.ceil(max(height, width) / LONGEST_SIDE)
    if min(height, width) < by * SHORTEST_SIDE:
        return None
    x = np.nan_to_num(x[: height // by * by, : width // by * by].astype(np.float64), posinf=0.0, neginf=0.0)
    small = x.reshape(height // by, by, width // by, by, colours).mean(axis=(1, 3))
    low, high = _ends(small, dtype)
    return Part(name, "image", np.clip((small - low) / ((high - low) or 1) * 255, 0, 255).round().astype(np.uint8))


def _ends(x: Array, dtype: np.dtype[Any]) -> tuple[float, float]:
    low, high = float(x.min()), float(x.max())
    if dtype == np.uint8:
        return 0.0, 255.0
    return (0.0, 1.0) if low >= 0 and 0.5 < high <= 1 else (low, high)
