"""This machine -> the Python package unicorn, and our hooks, built with this machine's compiler on first use."""

import importlib.util
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from mcusim.engines.qemu.plugin import REPLAY
from mcusim.system.errors import MissingToolError
from mcusim.system.shared_object import build_shared
from mcusim.system.tool import Tool, installed, lacking, looked_for

_HOOKS = Path(__file__).parent / "unicorn_hooks"
_INSTALL = "pip install 'mcusim[unicorn]'"


def missing() -> MissingToolError | None:
    return lacking(build_hooks)


def version() -> str:
    """Raises MissingToolError when it is not installed."""
    found = installed("unicorn")
    if found is None:
        raise MissingToolError("the Python package 'unicorn' is not installed", hint=_INSTALL)
    return found


def package() -> Path:
    """Its folder, with ``include`` and ``lib``. Raises MissingToolError when it is not there, or has no headers."""
    version()
    found = importlib.util.find_spec("unicorn")
    folder = Path(found.origin).parent if found and found.origin else None
    if folder is None or not (folder / "include" / "unicorn" / "unicorn.h").is_file():
        raise MissingToolError("the Python package 'unicorn' has no headers", hint=f"{_INSTALL}: its wheel has them")
    return folder


@cache
def build_hooks() -> Path:
    """The shared object. Raises MissingToolError without Unicorn or a compiler, BuildError when that refuses."""
    folders = (_HOOKS, REPLAY, package() / "include")
    return build_shared(_HOOKS / "hooks.c", folders, f"unicorn_hooks-{version()}")


def tools() -> Iterable[Tool]:
    yield looked_for("Unicorn", "engine unicorn", version, required=False)
