"""What a shell is offered: asked as bash, zsh and fish ask, in processes of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

BASH = "bash_complete"


def asked(words: str, folder: Path, instruction: str = BASH) -> list[str]:
    """`words` as they are typed; the last one is to be completed (may be empty)."""
    environment = {
        **os.environ,
        "_MCUSIM_COMPLETE": instruction,
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split(" ")) - 1),
    }
    command = [sys.executable, "-m", "mcusim"]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    assert done.stderr == "" and done.returncode == 0
    return [line.partition(",")[2] for line in done.stdout.splitlines() if line]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = str(Path(__file__).parents[2])
    monkeypatch.setenv("PYTHONPATH", root)
    text = '[dataset]\nname = "digits"\n[[model]]\nname = "small"\narchitecture = "cnn"\n'
    (tmp_path / "e.toml").write_text(text + '[target]\nboards = ["sparkfun_edge"]\n')
    return tmp_path


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("mcusim eva", ["evaluate"]),
        ("mcusim run --eng", ["--engine"]),
        ("mcusim run --engine q", ["qemu"]),
        ("mcusim run --engine qemu,re", ["qemu,renode"]),
        ("mcusim build --board s", ["sparkfun_edge"]),
        ("mcusim evaluate --data-type int1", [f"int1{n}" for n in range(7)]),
        ("mcusim run e.toml --model s", ["small"]),
        ("mcusim run not-there.toml --model s", []),
    ],
)
def test_words(words: str, offered: list[str], folder: Path) -> None:
    assert asked(words, folder) == offered


def test_files_are_left_to_the_shell(folder: Path) -> None:
    assert asked("mcusim run e", folder) == ["e"]


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_every_shell_gets_its_script(shell: str, folder: Path) -> None:
    environment = {**os.environ, "_MCUSIM_COMPLETE": f"{shell}_source"}
    command = [sys.executable, "-m", "mcusim"]
    done = subprocess.run(command, env=environment, cwd=folder, capture_output=True, text=True, check=False)
    assert "Usage" not in done.stdout
    assert f"{shell}_complete" in done.stdout or "bash" in done.stderr, "click looks for a bash of version 4.4"
