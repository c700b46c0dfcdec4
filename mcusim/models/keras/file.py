"""Model file -> its description (JSON) and its weights (HDF5), both unread. What it is, its first bytes tell.

.keras          a zip of config.json and model.weights.h5; before Keras 2.13 an HDF5 file, too
.h5 .hdf5       HDF5 with the description in its attribute `model_config` and the weights in `model_weights`
.json           the description alone; the weights lie beside it, see `weights_beside`
"""

import io
import json
import re
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from mcusim.models.keras.hdf5 import SIGNATURE, Hdf5, broken, reading
from mcusim.system.errors import ModelError

DESCRIPTION, WEIGHTS, ABOUT = "config.json", "model.weights.h5", "metadata.json"
LARGEST_DESCRIPTION_BYTES = 16 * 2**20
LARGEST_WEIGHTS_BYTES = 2**30  # those of the optimizer lie beside the model's own
MOST_ENTRIES = 10_000
# Beside `model.json`, first to last.
BESIDE = ("{}.weights.h5", "{}.h5", "{}.hdf5", "{}_weights.h5", "{}_weights.hdf5", "{}-weights.h5", "weights.h5")
ROLE = "(architecture|arch|config|structure|json)"
ROLES = f"[_.-]?{ROLE}"


@dataclass(frozen=True)
class KerasFile:
    """`description` as JSON has it. `weights` is open only inside of `opened`. `version`: of Keras, if it is told."""

    description: Any
    weights: Hdf5
    version: str


@contextmanager
def opened(path: Path) -> Iterator[KerasFile]:
    """Raises ModelError for what is no Keras model."""
    with reading(), path.open("rb") as file:
        head = file.read(64)
    if head.startswith(b"PK"):
        opener = _archive(path)
    elif head.lstrip()[:1] == b"{":
        opener = _json(path)
    else:
        opener = _hdf5(path)
    with opener as file:
        yield file


@contextmanager
def _archive(path: Path) -> Iterator[KerasFile]:
    with reading(), zipfile.ZipFile(path) as archive:
        if len(archive.namelist()) > MOST_ENTRIES:
            raise broken("it has too many entries")
        description = _entry(archive, DESCRIPTION, LARGEST_DESCRIPTION_BYTES)
        weights = _entry(archive, WEIGHTS, LARGEST_WEIGHTS_BYTES)
        about = _entry(archive, ABOUT, LARGEST_DESCRIPTION_BYTES) if ABOUT in archive.namelist() else b"{}"
    with _weights(io.BytesIO(weights)) as stored:
        yield KerasFile(_parsed(description), stored, _version(_parsed(about)))


def _version(told: Any) -> str:
    return str(told.get("keras_version") or "")[:20] if isinstance(told, dict) else ""


def _entry(archive: zipfile.ZipFile, name: str, largest: int) -> bytes:
    """Read as a whole, which tells whether its checksum is right."""
    if name not in archive.namelist():
        raise broken(f"it has no {name!r}")
    about = archive.getinfo(name)
    if about.file_size > largest or about.file_size > 2**26 + 100 * about.compress_size:
        raise broken(f"its {name!r} is too large ({about.file_size} bytes)")
    return archive.read(name)


@contextmanager
def _hdf5(path: Path) -> Iterator[KerasFile]:
    with reading():
        file = path.open("rb")
    with file, _weights(file) as stored:
        description = stored.text("model_config")
        if description is None:
            hint = "save the whole model with model.save('model.keras'), or give its model.json beside the weights"
            raise ModelError("the file holds weights alone, and no 'model_config'", hint=hint)
        parsed = _parsed(description.encode("utf-8", "surrogatepass"))
        yield KerasFile(parsed, stored, stored.text("keras_version") or _version(parsed))


@contextmanager
def _json(path: Path) -> Iterator[KerasFile]:
    with reading():
        if path.stat().st_size > LARGEST_DESCRIPTION_BYTES:
            raise broken("its description is too large")
        description = _parsed(path.read_bytes())
        _demand_keras(description)
        file = weights_beside(path).open("rb")
    with file, _weights(file) as stored:
        yield KerasFile(description, stored, _version(description))


def _demand_keras(description: Any) -> None:
    """Before weights are missed beside a file that is none of Keras."""
    told = description if isinstance(description, dict) else {}
    if {"modelTopology", "weightsManifest"} <= set(told):
        hint = "convert it: tensorflowjs_converter --input_format=tfjs_layers_model model.json model.h5"
        raise ModelError("this is a model of TensorFlow.js, not of Keras", hint=hint)
    if not {"class_name", "config"} <= set(told):
        hint = "give what model.to_json() wrote, or save the whole model with model.save('model.keras')"
        raise ModelError("this JSON describes no Keras model", hint=hint)


def weights_beside(path: Path) -> Path:
    """The weights of `model.json`: the first of `model.weights.h5`, `model.h5`, `model_weights.h5`.. in its folder, or
    the only HDF5 file there. `model_architecture.json` and `model_config.json` are taken for `model.json`; also
    `weights_2.h5` is what `architecture_2.json` asks for.
    """
    stems = dict.fromkeys((path.stem, re.sub(f"{ROLES}$", "", path.stem, flags=re.IGNORECASE) or path.stem))
    told = re.sub(f"(?<![a-z]){ROLE}(?![a-z])", "weights", path.stem, flags=re.IGNORECASE)
    names = [*(name.format(stem) for stem in stems for name in BESIDE), f"{told}.h5", f"{told}.hdf5"]
    wanted = [path.with_name(name) for name in names]
    found = [candidate for candidate in wanted if candidate.is_file()]
    if found:
        return found[0]
    others = sorted(other for other in path.parent.iterdir() if other.suffix in (".h5", ".hdf5") and other.is_file())
    if len(others) == 1:
        return others[0]
    what = f"there are no weights beside {path.name!r}" if not others else f"{len(others)} HDF5 files lie beside it"
    hint = f"call its weights {wanted[0].name!r} or {wanted[1].name!r}, in the same folder"
    raise ModelError(what, hint=hint)


@contextmanager
def _weights(file: Any) -> Iterator[Hdf5]:
    with reading():
        file.seek(0)
        if file.read(len(SIGNATURE)) != SIGNATURE:
            raise broken("it is neither a zip of Keras nor an HDF5 file")
        file.seek(0)
    yield Hdf5(file)


def _parsed(description: bytes) -> Any:
    with reading():
        if len(description) > LARGEST_DESCRIPTION_BYTES:
            raise broken("its description is too large")
        return json.loads(description)
