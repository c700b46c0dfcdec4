"""Object files that are used again: of the same text, of the same includes, by the same compiler, and no others."""

from __future__ import annotations

from pathlib import Path

import pytest

from mcusim.boards.load import load_board
from mcusim.cores import cortex_m4f
from mcusim.kernels.choice import Destination
from mcusim.kernels.memory import USUAL
from mcusim.line import build as build_module
from mcusim.line.emit import emit_library
from mcusim.line.lower import lower
from mcusim.line.objects import Objects, key_of
from mcusim.system.command import Completed
from mcusim.system.elf import reading
from tests.test_library_builds import network
from tests.tiny_library import build_library, library, library_of_files

FILES = {
    "model.c": '#include "model.h"\n#include <stdint.h>\nint f(void);\n',
    "model.h": '  #  include "number.h"\n',
    "number.h": "typedef int number_t;\n",
    "harness/main.c": '#include "harness.h"\n',
    "harness/harness.h": '#include "model.h"\n',
    "harness/alone.c": "int main(void);\n",
    "nn.c": "#ifdef NUMBERS\n# include NUMBERS\n#elif defined(OTHERS)\n#include OTHERS\n#endif\n",
    "config.h": '#define NUMBERS "signed.h"\n',
    "signed.h": "",
}
GCC = ("gcc", "12", "-O2")


@pytest.mark.parametrize(
    ("changed", "of"),
    [
        ("number.h", {"model.c", "harness/main.c"}),
        ("model.c", {"model.c"}),
        ("harness/harness.h", {"harness/main.c"}),
        ("signed.h", {"nn.c"}),  # named by a macro
    ],
)
def test_what_a_file_reads_is_in_its_key(changed: str, of: set[str]) -> None:
    other = {**FILES, changed: FILES[changed] + "\n"}
    names = {name for name in FILES if name.endswith(".c")}
    assert {name for name in names if key_of(name, FILES, GCC) != key_of(name, other, GCC)} == of


def test_compiler_and_flags_are_in_its_key() -> None:
    keys = {key_of("model.c", FILES, (*GCC[:at], "x", *GCC[at + 1 :])) for at in range(3)}
    assert len(keys | {key_of("model.c", FILES, GCC), key_of("model.c", FILES, (*GCC, "-g"))}) == 5


@pytest.mark.parametrize(
    "text", ['#include "elsewhere.h"\n', '#define OTHERS "elsewhere.h"\n#include OTHERS\n', '  .incbin "weights.bin"\n']
)
def test_what_reads_anything_else_has_none(text: str) -> None:
    assert key_of("model.c", {**FILES, "number.h": text}, GCC) is None


def test_the_oldest_go_first(tmp_path: Path) -> None:
    kept = Objects(5)
    for name, size in (("a", 2), ("b", 3), ("c", 2), ("d", 6)):
        (tmp_path / f"{name}.o").write_bytes(bytes(size))
        kept.keep(name, tmp_path, (f"{name}.o", f"{name}.su"))
        (tmp_path / f"{name}.o").unlink()
        found = {one for one in "abcd" if kept.lay(one, tmp_path)}
        assert found == {"a": {"a"}, "b": {"a", "b"}, "c": {"b", "c"}, "d": set()}[name]


@pytest.mark.arm
def test_a_model_is_compiled_once_for_boards_and_engines(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """And is what it is without that; another model is another object."""
    compiled: list[str] = []
    run = build_module.run

    def counted(command: list[str], **options: Path) -> Completed:
        compiled.extend(part for part in command if part.endswith((".c", ".S")))
        return run(command, **options)

    monkeypatch.setattr(build_module, "run", counted)
    places = [
        (load_board(name), engine) for name in ("nucleo_l452re_p", "sparkfun_edge") for engine in ("qemu", "renode")
    ]
    every = {}
    for kept in (Objects(0), Objects()):
        monkeypatch.setattr(build_module, "OBJECTS", kept)
        compiled.clear()
        built = [
            build_library(library_of_files(), board, tmp_path / f"{kept.largest_bytes}", engine)
            for board, engine in places
        ]
        every[kept.largest_bytes] = [firmware.elf.read_bytes() for firmware in built]
        assert all(firmware.frames for firmware in built)
        of_model = [name for name in compiled if not name.startswith("harness/")]
        assert len(of_model) == len(set(of_model)) * (1 if kept.largest_bytes else len(places)) > 0
    assert len({tuple(images) for images in every.values()}) == 1
    compiled.clear()
    build_library(library("output[0] = 1;"), places[0][0], tmp_path / "other", "qemu")
    assert "model.c" in compiled


@pytest.mark.arm
def test_routines_are_assembled_at_once_to_what_each_is_alone(tmp_path: Path) -> None:
    """Though each gives registers names of its own."""
    library, toolchain = (
        emit_library(lower(network("int8"), Destination("cortex-m4", memory=USUAL))),
        cortex_m4f.toolchain(),
    )
    library.write(tmp_path)
    objects = build_module._compile(library, toolchain, tmp_path)
    assert [name for name in objects if name != "model.o"] == ["united.o"]
    routines = [name for name in library.files if name.endswith(".S")]
    for name in routines:
        build_module._compile_one(name, toolchain, tmp_path)
    alone = {name: code for one in routines for name, code in code_in(tmp_path / f"{Path(one).stem}.o").items()}
    assert code_in(tmp_path / "united.o") == alone and len(alone) >= len(routines) > 5


def code_in(path: Path) -> dict[str, bytes]:
    with reading(path) as elf:
        return {one.name: one.data() for one in elf.iter_sections() if one.name.startswith(".text.")}
