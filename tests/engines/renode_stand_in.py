"""Something else that is called as Renode: it does with a job what its behaviour says. For machines without Renode."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

from mcusim.engines.renode import installation as renode_installation
from mcusim.line.build import Firmware
from mcusim.system.elf import Symbol
from mcusim.system.image import Image
from tests.tiny_library import INPUTS, OUTPUTS

PROGRAM = """#!{python}
import os, re, signal, sys, time
if "--version" in sys.argv:
    print({version!r})
    sys.exit(0)
arguments = sys.argv[1:]
assert arguments[:3] == ["--console", "--disable-gui", "--plain"] and arguments[4:] == ["-e", "quit"], arguments
starting = open(arguments[3]).read()
folder, parent = re.search(r'emulation ServeJobs "([^"]+)" ([0-9]+)', starting).groups()
assert os.environ["XDG_CONFIG_HOME"].startswith(os.getcwd()) and os.path.isdir(os.environ["TMPDIR"])
turn = os.path.join(folder, "turn")
open(os.path.join(folder, "ready"), "w").close()

def take(script):
    lines = open(re.search(r'Run(?:Profiled)? "([^"]+)"', script)[1]).read().splitlines()
    job = dict(line.split(" ", 1) for line in lines)
    count = os.path.getsize(job["input"]) // int(job["input_bytes"])

    def answer(samples):
        given = open(job["input"], "rb").read()
        size = int(job["input_bytes"])
        with open(job["output"], "wb") as file:
            for i in range(samples):
                file.write(given[i * size : i * size + int(job["output_bytes"])])
        with open(job["counts"], "wb") as file:
            for i in range(samples):
                file.write((100 + i).to_bytes(8, "little") + (150).to_bytes(8, "little"))

    def results(outcome="done", detail="", samples=count, pc=0, nonce=job["nonce"], end=True):
        with open(job["result"] + ".new", "w") as file:
            file.write("outcome %s\\ndetail %s\\nsamples %d\\n" % (outcome, detail, samples))
            file.write("pc %d\\naddress 0\\ninstructions 12345\\nstack_bytes 48\\nrun_us 1000\\n" % pc)
            if end:
                file.write("end %s\\n" % nonce)
        os.rename(job["result"] + ".new", job["result"])

    def fail(said):
        print(said, flush=True)
        open(os.path.join(folder, "failed"), "w").close()

    exec({behaviour!r})

while os.path.isdir("/proc/" + parent):
    if os.path.exists(turn):
        path = open(turn).read()
        os.remove(turn)
        take(open(path).read())
    time.sleep(0.002)
"""

WORKS = "answer(count); results()"


def install(
    folder: Path, behaviour: str, monkeypatch: pytest.MonkeyPatch, version: str = "Renode v1.16.1.17033"
) -> Path:
    """A RENODE_ROOT with such a program, driven by Monitor script."""
    root = folder / "renode"
    root.mkdir(exist_ok=True)
    program = root / "renode"
    program.write_text(PROGRAM.format(python=sys.executable, version=version, behaviour=behaviour))
    program.chmod(0o755)
    monkeypatch.setenv("RENODE_ROOT", str(root))
    monkeypatch.setenv("MCUSIM_RENODE_DRIVER", "monitor")
    monkeypatch.setenv("MCUSIM_CACHE_DIR", str(folder / "cache"))
    renode_installation.ask_program.cache_clear()
    return program


def firmware(folder: Path) -> Firmware:
    """What a build for the Nucleo board would be, without a compiler."""
    elf = folder / "firmware.elf"
    elf.write_bytes(b"\\x7fELF, or so it seems")
    places = {
        "mcusim_vectors": 0x08000000,
        "mcusim_stack_start": 0x20000000,
        "mcusim_stack_end": 0x20001000,
        "mcusim_mailbox": 0x20001100,
        "cnn": 0x08000040,
        "mcusim_infer_return": 0x08000100,
    }
    symbols = {name: Symbol(address, 4, "object", ".data") for name, address in places.items()}
    entry, leave = places["cnn"], places["mcusim_infer_return"]
    image = Image(elf, "nucleo_l452re_p", entry, leave, INPUTS, OUTPUTS, {}, symbols)
    return Firmware(image, "cc 1", (), "0", None, None, None)


def given(count: int) -> np.ndarray:
    return np.arange(count * INPUTS, dtype=np.int8).reshape(count, INPUTS)
