"""A model may need any kernels beside one another, in one C file: no two headers give different things one name."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from mcusim.line.emit import emit_library
from mcusim.line.lower import lower
from mcusim.line.quantize import quantize
from mcusim.system.assets import CODEGEN
from tests.graphs import Builder

OTHERS = {  # headers that know other numbers alone
    "int8": {"nn_abreast_float.h", "nn_depthwise_float_tile.h", "nn_rows_float.h"},
    "int16": {"nn_abreast_float.h", "nn_depthwise_float_tile.h", "nn_rows_float.h"},
    "float32": {"nn_direct_tile.h"},
}


@pytest.mark.parametrize("data_type", ["int8", "int16", "float32"])
def test_all_headers_go_together(data_type: str, tmp_path: Path) -> None:
    builder = Builder((4,))
    builder.dense(2)
    library = emit_library(lower(quantize(builder.graph(), builder.samples(), data_type)))
    (tmp_path / "number_config.h").write_text(library.files["number_config.h"])
    names = {path.name for path in (CODEGEN / "kernels").glob("*.h")}
    includes = [f'#include "{name}"' for name in sorted(names - OTHERS[data_type])]
    (tmp_path / "all.c").write_text("\n".join(includes) + "\n")
    folders = [f"-I{folder}" for folder in (tmp_path, CODEGEN / "kernels", CODEGEN / "numbers")]
    compiler = shutil.which("gcc") or shutil.which("cc")
    assert compiler, "the tests need a host C compiler: apt-get install gcc"
    command = [compiler, "-fsyntax-only", "-std=gnu11", *folders, str(tmp_path / "all.c")]
    built = subprocess.run(command, capture_output=True, text=True, check=False)
    assert built.returncode == 0, built.stderr
