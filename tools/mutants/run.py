"""A room -> a verdict for each of a sample of its mutants, in a copy of the checkout; goes on where it stopped."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mcusim.system.errors import ConfigurationError
from tools.mutants.rooms import Room

VERDICTS = {
    0: "survived",
    5: "no test",
    33: "no test",
    34: "left out",
    36: "too slow",
    37: "types",
}  # exit codes of its tests
PATIENCE_SECONDS = 60.0  # beside 15 times what the tests took: a mutant may loop for ever


@dataclass(frozen=True)
class Mutant:
    """`verdict`: "killed", or one of VERDICTS. "too slow" and "types" count as killed."""

    name: str
    verdict: str

    @property
    def is_killed(self) -> bool:
        return self.verdict not in ("survived", "no test", "left out")


def mutants(room: Room, folder: Path, sample: int, seed: int, jobs: int) -> list[Mutant]:
    """Change `sample` places of the room, chosen by `seed`, in a copy of the checkout at `folder`."""
    if not (folder / "mutants").is_dir():
        _copy(room, folder)
        _prepare(folder)
    codes = _codes(folder)
    if not codes:
        raise ConfigurationError(f"no mutants of {', '.join(room.files)} in {folder}", hint="remove it and start again")
    chosen = sorted(random.Random(seed).sample(sorted(codes), min(sample, len(codes))))
    open_ones = [name for name in chosen if codes[name] is None]
    if open_ones:
        _mutmut(folder, ["run", "--max-children", str(jobs), *open_ones])
        codes = _codes(folder)
    return [Mutant(name, VERDICTS.get(codes[name] or 0, "killed")) for name in chosen if codes[name] is not None]


def difference(folder: Path, name: str) -> str:
    """The lines that a mutant takes out and puts in."""
    shown = _mutmut(folder, ["show", name]).splitlines()
    return "\n".join(line for line in shown if line[:1] in "+-" and line[:3] not in ("+++", "---"))


def _copy(room: Room, folder: Path) -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], capture_output=True, text=True, check=True).stdout
    files = [name for name in listed.split("\0") if name and Path(name).is_file()]
    for name in files:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(Path(name).read_bytes())
        target.chmod(Path(name).stat().st_mode)
    beside = sorted({name.split("/", 1)[0] for name in files} - {"mcusim", "tests", "pyproject.toml"})
    settings = {
        "source_paths": ["mcusim"],
        "only_mutate": list(room.files),
        "also_copy": beside,
        "pytest_add_cli_args_test_selection": list(room.tests),
        "pytest_add_cli_args": room.arguments(),
        "use_git_change_detection": False,
        "track_dependencies": False,
        "timeout_constant": PATIENCE_SECONDS,
    }
    lines = [f"{key} = {json.dumps(value)}" for key, value in settings.items()]
    with (folder / "pyproject.toml").open("a", encoding="utf-8") as project:
        project.write("\n[tool.mutmut]\n" + "\n".join(lines) + "\n")


def _prepare(folder: Path) -> None:
    """Make all mutants, and find out which tests reach each: a sample is drawn of names that are known."""
    log = _called(folder, ["run", "none.has.this.name"])  # fails in the end: no mutant has it
    if not (folder / "mutants" / "mutmut-stats.json").is_file():
        raise _failed(folder, "run", log.stdout + log.stderr)


def _mutmut(folder: Path, arguments: Sequence[str]) -> str:
    done = _called(folder, arguments)
    if done.returncode:
        raise _failed(folder, arguments[0], done.stdout + done.stderr)
    return done.stdout


def _called(folder: Path, arguments: Sequence[str]) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    command = [sys.executable, "-m", "mutmut", *arguments]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


def _failed(folder: Path, command: str, output: str) -> ConfigurationError:
    log = folder / "mutmut.log"
    log.write_text(output, encoding="utf-8")
    return ConfigurationError(f"mutmut {command} failed", hint=f"read {log}")


def _codes(folder: Path) -> dict[str, int | None]:
    return dict(item for meta in sorted((folder / "mutants").rglob("*.meta")) for item in _codes_of(meta))


def _codes_of(meta: Path) -> Iterator[tuple[str, int | None]]:
    yield from json.loads(meta.read_text(encoding="utf-8"))["exit_code_by_key"].items()
