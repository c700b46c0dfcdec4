"""Keywords beside those of Renode: the folder that `mcusim export` writes, and answers held against it.

Runs in the Python of renode-test, which knows nothing of mcusim: the standard library only.
"""

from __future__ import annotations

import json
import os
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
LIMIT_S = 900

__all__ = ["accuracy_of", "export_case", "find_symbol_in", "mismatches_of", "remove_exports"]

_folders: list[str] = []
_cases: dict[tuple[str, ...], Any] = {}


def export_case(experiment: str, board: str, data_type: str, tools: str, shown: int = 3) -> Any:
    """Trains the model of an experiment unless it is, and exports it. -> what case.json holds, and its `folder`.

    The folder is one that Monitor commands can name, and goes with `Remove Exports`. Cycles are profiled in Renode:
    in RENODE_ROOT, else in the Renode that runs this suite, which has `tools` in its folder.
    """
    if not _folders:
        _folders.append(tempfile.mkdtemp(prefix="mcusim-robot-"))
    choice = ["--board", board, "--data-type", data_type, "--shown", str(shown)]
    wanted = (experiment, *choice)
    if wanted not in _cases:
        _cases[wanted] = _export([str(ROOT / experiment), *choice, "--out", _folders[0]], Path(tools).parent)
    return _cases[wanted]


def _export(arguments: list[str], renode: Path) -> Any:
    command = [_mcusim(), "export", *arguments, "--engine", "renode"]
    environment = {**os.environ, **_renode_root(renode)}
    ended = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=LIMIT_S, check=False)
    if ended.returncode:
        raise AssertionError(f"mcusim export ended with {ended.returncode}: {ended.stderr.strip()}")
    folder = Path(ended.stdout.splitlines()[-1])
    told = json.loads((folder / "case.json").read_text(encoding="utf-8"), object_hook=lambda o: SimpleNamespace(**o))
    told.folder, told.scripts = str(folder), str(folder / told.scripts)
    return told


def remove_exports() -> None:
    _cases.clear()
    while _folders:
        shutil.rmtree(_folders.pop(), ignore_errors=True)


def mismatches_of(case: Any, outputs: str) -> int:
    """Samples whose answer is not the expected one: any number differs (integers), or another class (float32)."""
    got, want = _read(case, Path(outputs)), _read(case, Path(case.folder, "expected.bin"))
    if len(got) != len(want):
        raise AssertionError(f"{len(got)} samples were answered, {len(want)} asked")
    if case.number == "float32":
        got, want = [[_class(case, one)] for one in got], [[_class(case, one)] for one in want]
    return sum(one != other for one, other in zip(got, want))  # noqa: B905 (this may be an old Python)


def accuracy_of(case: Any, outputs: str) -> float:
    """Share of samples that the answer decides to be of the label's class."""
    got = _read(case, Path(outputs))
    return sum(_class(case, one) == label for one, label in zip(got, case.labels)) / len(case.labels)  # noqa: B905


def find_symbol_in(text: str) -> int:
    """The address that the Monitor printed, without the bit that says Thumb."""
    return int(text.strip(), 0) & ~1


def _read(case: Any, path: Path) -> list[list[float]]:
    """The numbers of each answer, of all outputs; the first `case.outputs` are those of the one that decides."""
    return [list(one) for one in struct.iter_unpack(case.answer, path.read_bytes())]


def _class(case: Any, numbers: list[float]) -> int:
    deciding = numbers[: case.outputs]
    threshold = getattr(case, "threshold", None)  # an older export has none
    if threshold is not None:
        return int(deciding[0] > threshold)
    return deciding.index(max(deciding))


def _mcusim() -> str:
    own = ROOT / ".venv" / "bin" / "mcusim"
    found = str(own) if own.exists() else shutil.which("mcusim")
    if not found:
        raise AssertionError("mcusim is not installed: script/setup, or pip install mcusim[train]")
    return found


def _renode_root(renode: Path) -> dict[str, str]:
    return {"RENODE_ROOT": str(renode)} if (renode / "renode").is_file() and not os.environ.get("RENODE_ROOT") else {}
