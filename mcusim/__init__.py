"""How will this neural network behave on that microcontroller? The program on one page: `pipeline.py`.

For scripts: `run(read_experiment(Path("experiment.toml")), Path("out"), Silent())` returns a `Report`, and
`from_torch(module, example)` a module of PyTorch as mcusim reads it.
"""

from __future__ import annotations

import sys

from mcusim.system.interruption import end_at_once
from mcusim.system.version import VERSION

if sys.argv[:1] == ["-m"] and "mcusim" in sys.orig_argv:  # the first moment of `python -m mcusim`
    end_at_once()

TYPE_CHECKING = False  # without importing typing: `python -m mcusim` forgets the working folder before it imports
if TYPE_CHECKING:
    from typing import Any

    from mcusim.boards.load import load_board
    from mcusim.experiment.read import read_experiment
    from mcusim.line.from_torch import from_torch
    from mcusim.line.watcher import Silent, Watcher
    from mcusim.pipeline import run
    from mcusim.reports.report import Report
    from mcusim.system.errors import McusimError

__version__ = VERSION
__all__ = ["McusimError", "Report", "Silent", "Watcher", "from_torch", "load_board", "read_experiment", "run"]

_HOMES = {
    "McusimError": "mcusim.system.errors",
    "Report": "mcusim.reports.report",
    "Silent": "mcusim.line.watcher",
    "Watcher": "mcusim.line.watcher",
    "from_torch": "mcusim.line.from_torch",
    "load_board": "mcusim.boards.load",
    "read_experiment": "mcusim.experiment.read",
    "run": "mcusim.pipeline",
}


def __getattr__(name: str) -> Any:
    """Public names are imported when they are used: `mcusim --help` waits for none of them."""
    if name not in _HOMES:
        raise AttributeError(f"module 'mcusim' has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(_HOMES[name]), name)
