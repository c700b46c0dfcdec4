"""clang's assembler takes what GNU's does: every routine of the networks of the calling convention."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from mcusim.line.lower import program_of
from mcusim.system.assets import CODEGEN
from mcusim.system.templates import render
from tests.kernels.measured import forced
from tests.kernels.test_calling_convention import NETWORKS, graph_of, routines_of

TARGET = ("--target=arm-none-eabi", "-mcpu=cortex-m4", "-mthumb", "-mfpu=fpv4-sp-d16", "-mfloat-abi=hard")


@pytest.mark.skipif(not shutil.which("clang"), reason="clang is not installed: apt-get install clang")
def test_every_routine_is_assembled_by_clang(tmp_path: Path) -> None:
    texts: dict[str, str] = {}
    for builder, data_type, kernel in NETWORKS:
        graph = graph_of(builder, data_type)
        for name, routine in routines_of(program_of(graph, forced(graph, kernel))).items():
            text = render("routine.S.j2", routine=routine)
            # In one file, since clang starts two processes for each: the names of registers end with their routine.
            own = re.findall(r"^ *(\w+) +\.req ", text, re.MULTILINE)
            texts[name] = "\n".join([text, *(f"    .unreq {register}" for register in own)])
    assert len(texts) > 50
    (tmp_path / "routines.S").write_text("\n".join(texts.values()))
    include = f"-I{CODEGEN / 'numbers'}"
    done = subprocess.run(
        ["clang", *TARGET, "-Wall", "-Werror", include, "-c", "routines.S"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[:2000]
