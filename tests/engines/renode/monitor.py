"""Renode as people start it, with Monitor commands alone."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Sequence
from pathlib import Path

from mcusim.engines.renode.installation import find_program, surroundings


def monitor(lines: Sequence[str], folder: Path, timeout_s: float = 300) -> str:
    """What they print. `folder`: one that they can name, where nothing else is."""
    script = folder / "commands.resc"
    script.write_text("\n".join(lines) + "\n", encoding="utf-8")
    program = find_program()
    assert program is not None
    command = [str(program), "--console", "--disable-gui", "--plain", "--hide-log", str(script), "-e", "quit"]
    (folder / "private" / "tmp").mkdir(parents=True, exist_ok=True)
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
