"""script/fuzz's hostile files: the same again from a seed, and every way in which a command does harm is seen."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tools.fuzz import child, files, mutations
from tools.fuzz.child import Ended
from tools.fuzz.good_files import Subject

GOOD = (b'{"a": [1, 2.5, "x"], "b": {"c": null}}', b"[dataset]\nfile = 'x'\n", bytes(range(256)) * 3)


@pytest.mark.parametrize("seed", range(40))
def test_a_seed_makes_the_same_file_again(seed: int) -> None:
    made = mutations.mutated(random.Random(seed), GOOD)
    assert made == mutations.mutated(random.Random(seed), GOOD)


def test_files_are_no_longer_what_they_were() -> None:
    made = {mutations.mutated(random.Random(seed), GOOD) for seed in range(200)}
    assert len(made) > 150 and len(made & set(GOOD)) < 5


@pytest.mark.parametrize(
    ("ended", "told"),
    [
        (Ended(0, b"fine", 5 << 20), ""),
        (Ended(3, b"error: no\n  hint: yes", 0), ""),
        (Ended(3, b"error: no", 0), "no hint"),
        (Ended(1, b"Traceback (most recent call last):\n", 0), "a traceback"),
        (Ended(1, b"something", 0), "it ended with 1"),
        (Ended(-11, b"", 0), "it ended with -11"),
        (Ended(None, b"..", 0), "no end"),
        (Ended(0, b"", 2 << 30), "it took 2048 MiB"),
        (Ended(0, b"a \x1b[31m name", 0), "what it says has '\\x1b'"),
        (Ended(0, "a \u202e name".encode(), 0), "what it says has '\\u202e'"),
    ],
)
def test_how_it_may_not_end(ended: Ended, told: str) -> None:
    what = files.of_end(ended)
    assert what.startswith(told) and bool(what) == bool(told)


@pytest.mark.parametrize(
    ("where", "content", "told"),
    [
        ("out/model.c", "int a;\n", ""),
        ("out/model.c", "/* \x07 */", "has '\\x07'"),
        ("out/mcusim-fuzz-evil", "", "it wrote a/b/work/out/mcusim-fuzz-evil"),
        ("../x", "", "it wrote a/b/x"),
        ("model", "another", "it wrote a/b/work/model"),
    ],
)
def test_what_it_may_not_write(tmp_path: Path, where: str, content: str, told: str) -> None:
    work = tmp_path / files.BELOW
    (work / "out").mkdir(parents=True)
    (work / "model").write_text("a model")
    before = files.states(tmp_path)
    (work / where).write_text(content)
    what = files.of_files(tmp_path, work, before)
    assert told in what and bool(what) == bool(told)


@pytest.mark.parametrize(("c", "told"), [("int a;\n", ""), ("int a b;\n", "its C is none")])
def test_its_c_is_compiled(tmp_path: Path, c: str, told: str) -> None:
    (tmp_path / "model.h").write_text("")
    (tmp_path / "model.c").write_text(c)
    what = files.of_code(tmp_path)
    assert what.startswith(told) and bool(what) == bool(told)


def test_a_command_runs_in_a_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "work").mkdir()
    ended = child.run(["report", "nothing.json"], tmp_path / "work", {})
    assert ended.code in (2, 3) and b"nothing.json" in ended.said and ended.peak_bytes < child.MEMORY_BYTES
    monkeypatch.setattr(child, "WALL_S", 0.0)
    assert child.run(["boards"], tmp_path / "work", {}).code is None


def test_a_file_is_tried(tmp_path: Path) -> None:
    subject = Subject("report", "report.json", (b'{"format": 1, "runs": []}',), (("report", "{file}"),))
    assert files.trouble(subject, random.Random(4), tmp_path / "4") == ""
