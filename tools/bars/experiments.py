"""The text of an experiment file -> `runs` of its report, as `mcusim run` writes it."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from mcusim.system import command
from mcusim.system.errors import EngineError

ROOT = Path(__file__).parents[2]
LONGEST_S = 1800.0


def run(name: str, text: str, work: Path) -> list[dict[str, Any]]:
    """Raises EngineError for an experiment that did not end well, with what it said."""
    experiment, out = work / f"{name}.toml", work / name
    experiment.write_text(text, encoding="utf-8")
    words: list[str | Path] = [sys.executable, "-m", "mcusim", "run", experiment, "--out", out]
    done = command.run(words, folder=ROOT, timeout_s=LONGEST_S)
    if done.returncode:
        what = f"'mcusim run' ended with {done.returncode}: {done.stderr.strip()[-400:]}"
        raise EngineError(what, where=str(experiment), hint="run it by itself; script/bars --only leaves its group out")
    runs: list[dict[str, Any]] = json.loads((out / "report.json").read_text(encoding="utf-8"))["runs"]
    return runs
