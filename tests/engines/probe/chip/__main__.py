"""python -m tests.engines.probe.chip BOARD FOLDER: a played chip, until Ctrl-C, for servers that mcusim starts.

What they need to find it is written into FOLDER, and how to run it is printed.
"""

import sys
import time
from pathlib import Path

from mcusim.boards.load import load_board
from tests.engines.probe.chip.core import Chip
from tests.engines.probe.chip.flashes import flash_of
from tests.engines.probe.chip.probes import PyocdProbe, StLink, probe
from tests.engines.probe.chip.settings import openocd_scripts, pyocd_project


def main(name: str, folder: Path) -> None:
    board = load_board(name)
    chip = Chip(board)
    flash_of(chip)
    with probe(StLink, chip) as stlink, probe(PyocdProbe, chip) as pyocd:
        if board.chip.debug and "openocd" in board.chip.debug.servers:
            openocd_scripts(folder, board, stlink)
        pyocd_project(folder, board)
        table = f'[[board]]\nid = "played"\ntype = "{name}"\n'
        (folder / "openocd.toml").write_text(f'{table}server = "openocd"\n')
        (folder / "pyocd.toml").write_text(f'{table}server = "pyocd"\nserial = "remote:127.0.0.1:{pyocd}"\n')
        there = f"OPENOCD_SCRIPTS={folder} PYOCD_PROJECT_DIR={folder}"
        print(f"{there} mcusim run .. --engine probe --hardware {folder}/openocd.toml (or pyocd.toml)", flush=True)
        time.sleep(10**6)


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
