"""Point -> its experiment file: the one that was explored, with the values of the point, comments and all."""

from collections.abc import Mapping
from importlib.util import find_spec
from os.path import relpath
from pathlib import Path
from typing import Any

from mcusim.experiment.experiment import Experiment
from mcusim.explore.axes import Space
from mcusim.explore.point import Point
from mcusim.system.cluster import INSTALL
from mcusim.system.errors import MissingToolError
from mcusim.system.files import read_text, write_text
from mcusim.system.toml_file import LARGEST_FILE_BYTES

FILE = "experiment.toml"


def demand_writer() -> None:
    """Raises MissingToolError where no TOML can be written."""
    if not find_spec("tomlkit"):
        raise MissingToolError("experiment files are written with tomlkit, which is not installed", hint=INSTALL)


def save(experiment: Experiment, space: Space, point: Point, folder: Path) -> Path:
    """The file, in `folder`. Files that it names are named as seen from there; [explore] is left out."""
    import tomlkit

    document: Any = tomlkit.parse(read_text(experiment.path, LARGEST_FILE_BYTES, hint="give the path of a TOML file"))
    document.pop("explore", None)
    for name in ("experiment", "target"):
        _fix(document, name, space.tables[name])
    space.apply(document, point.genes)
    _point_at(document, experiment.path.parent, folder)
    path = folder / FILE
    folder.mkdir(parents=True, exist_ok=True)
    write_text(path, tomlkit.dumps(document))
    return path


def _fix(document: Any, name: str, table: Mapping[str, Any]) -> None:
    """What the command line chose, or an exploration needs."""
    for key, value in table.items():
        if document.setdefault(name, {}).get(key) != value:
            document[name][key] = value


def _point_at(document: Any, before: Path, folder: Path) -> None:
    """Paths in a file are relative to it."""
    for table in (*document.get("model", []), document.get("model_template", {}), document.get("dataset", {})):
        if "file" in table:
            table["file"] = _from(folder, before / str(table["file"]))
    target = document.get("target", {})
    if "hardware" in target:
        target["hardware"] = _from(folder, before / str(target["hardware"]))
    if "boards" in target:
        target["boards"] = [
            _from(folder, before / str(one)) if _is_file(str(one)) else str(one) for one in target["boards"]
        ]


def _is_file(board: str) -> bool:
    return board.endswith(".toml") or "/" in board


def _from(folder: Path, path: Path) -> str:
    return Path(relpath(path, folder)).as_posix()
