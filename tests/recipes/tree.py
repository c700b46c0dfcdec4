"""A copy of the repository, to which a toy is added as its recipe says: `toys/<toy>` has new files where they go."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.processes import HANG_S

ROOT = Path(__file__).parents[2]
TOYS = Path(__file__).parent / "toys"
LEFT_OUT = (".*", "build", "dist", "*.egg-info")
# pytest, of the copy: what is installed may be another tree.
IN_THE_COPY = """\
import sys, mcusim, pytest
assert mcusim.__file__.startswith(sys.argv[1]), mcusim.__file__
sys.exit(pytest.main(sys.argv[2:]))
"""
READ_BEFORE = ROOT / ".hypothesis"  # what hypothesis read of the same files: constants that it tries
# Asserts stay as they are: rewriting them for what is told of a failure takes longer than most tests.
OPTIONS = ("-q", "-x", "-p", "no:cacheprovider", "--assert=plain", "--update-golden")


class Tree:
    """`files`: what a recipe made, or changed by more than a line. `lines`: where it changed one, and what it imports.

    Tests and what they write (golden files, tables of docs/) are not counted.
    """

    def __init__(self, root: Path) -> None:
        self.root = root.resolve()
        self.files: set[str] = set()
        self.lines: dict[str, int] = {}
        self.imports: set[str] = set()
        shutil.copytree(ROOT, root, ignore=_left_out)

    def add(self, toy: str) -> None:
        """The new files of a toy."""
        for path in sorted((TOYS / toy).rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                self.new(path.relative_to(TOYS / toy).as_posix(), path.read_text(encoding="utf-8"))

    def new(self, name: str, text: str) -> None:
        assert not (self.root / name).exists(), f"{name} is there already"
        self._write(name, text)
        self._count(name)

    def line(self, name: str, old: str, new: str) -> None:
        """Change a line of a literal."""
        assert "\n" not in old and "\n" not in new
        self._replace(name, old, new)
        if not name.startswith("tests/"):
            self.lines[name] = self.lines.get(name, 0) + 1

    def imported(self, name: str, old: str, new: str) -> None:
        """What a line of a literal needs at the top of its file."""
        assert "import" in new
        self._replace(name, old, new)
        self.imports.add(name)

    def edit(self, name: str, old: str, new: str) -> None:
        """More than a line."""
        self._replace(name, old, new)
        self._count(name)

    def touched(self) -> tuple[int, int]:
        """How many files, and of how many more a line."""
        assert self.imports <= self.files | set(self.lines), "only imported"
        alone = {name for name, count in self.lines.items() if count == 1} - self.files
        return len(self.files | (set(self.lines) - alone)), len(alone)

    def test(self, *arguments: str) -> None:
        """Tests that have to pass, and be there. Golden files and tables of docs/ are written anew."""
        done = subprocess.run(
            [sys.executable, "-c", IN_THE_COPY, str(self.root), *OPTIONS, *arguments],
            cwd=self.root,
            env={**os.environ, "PYTHONPATH": str(self.root), "HYPOTHESIS_STORAGE_DIRECTORY": str(READ_BEFORE)},
            capture_output=True,
            text=True,
            timeout=HANG_S,
            check=False,
        )
        assert done.returncode == 0 and " passed" in done.stdout, done.stdout + done.stderr

    def text(self, name: str) -> str:
        return (self.root / name).read_text(encoding="utf-8")

    def _replace(self, name: str, old: str, new: str) -> None:
        text = self.text(name)
        assert text.count(old) == 1, f"{name} has {text.count(old)} times: {old}"
        self._write(name, text.replace(old, new))

    def _write(self, name: str, text: str) -> None:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")

    def _count(self, name: str) -> None:
        if not name.startswith("tests/"):
            self.files.add(name)


def _left_out(folder: str, names: list[str]) -> set[str]:
    """Bytecode of mcusim is taken along: compiling takes longer than all else. pytest's has paths in it."""
    inside = Path(folder).relative_to(ROOT).parts
    patterns = LEFT_OUT if inside[:1] == ("mcusim",) else (*LEFT_OUT, "__pycache__")
    patterns = (*patterns, "recipes") if inside == ("tests",) else patterns
    return shutil.ignore_patterns(*patterns)(folder, names)
