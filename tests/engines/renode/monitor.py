"""Renode as people start it, with Monitor commands alone."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from mcusim.engines.renode.installation import compiled_folder, find_installation, surroundings
from mcusim.engines.renode.workers import _CACHE, _configure


def monitor(lines: Sequence[str], folder: Path, timeout_s: float = 300) -> str:
    """What they print. `folder`: one that they can name, where nothing else is."""
    script = folder / "commands.resc"
    script.write_text("\n".join(lines) + "\n", encoding="utf-8")
    renode = find_installation()
    assert renode.program is not None
    command = [str(renode.program), "--console", "--disable-gui", "--plain", "--hide-log", str(script), "-e", "quit"]
    (folder / "private" / "tmp").mkdir(parents=True, exist_ok=True)
    _configure(folder / "private" / _CACHE, compiled_folder(renode))  # plug-ins that other tests compiled
    nothing, unused = os.pipe()  # its console reads the end of a file again and again: half of the time goes there
    try:
        ended = subprocess.run(
            command,
            env={**os.environ, **surroundings(folder / "private")},
            cwd=folder,
            stdin=nothing,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
    finally:
        os.close(nothing)
        os.close(unused)
    return ended.stdout + ended.stderr
