"""What an engine saw is not run again, when it would be the same; and nothing damaged is believed."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcusim.boards.load import load_board
from mcusim.engines.counts import Block, CallNode, CallTree, Counts, Edge, Event
from mcusim.engines.engine import Execution, Job, records
from mcusim.experiment.tables import Target
from mcusim.line import kept
from mcusim.line.build import Firmware
from mcusim.line.kept import SUFFIX, Kept
from mcusim.line.sharding import Which
from mcusim.line.watcher import Silent
from mcusim.pipeline import run
from mcusim.system import kept_files
from mcusim.system.image import Image
from tests import lines
from tests.lines import FakeEngine, FakeStages, experiment
from tests.lines import engine as engine  # noqa: PLC0414  (a fixture)
from tests.lines import stages as stages  # noqa: PLC0414

SAMPLES = records(np.arange(12, dtype=np.float32).reshape(3, 4))
COUNTS = Counts(
    (Block(0, 0, 0), Block(16, 24, 4)),
    (Edge(0, 1), Edge(1, 0)),
    np.array([[1, 1], [2, 1]], np.uint64),
    (Event(1, 1, 0),),
    np.array([[3], [4]], np.uint64),
    CallTree(tuple(CallNode(at, 0xFFFFFFFF, 0) for at in range(3)), {(0, 1): 2}, 1, 0),
    ((16, b"\x00\xbf" * 4),),
    frozenset({16}),
)


class Counted:
    """An engine that counts its runs, and gives what it is told to."""

    def __init__(self, seen: Execution) -> None:
        self.FACTS, self.seen, self.runs, self.told = lines.FACTS, seen, 0, "1"

    def version(self) -> str:
        return self.told

    def run(self, job: Job) -> Execution:
        self.runs += 1
        return self.seen


def seen(**changes: Any) -> Execution:
    values: dict[str, Any] = {
        "answers": records(np.array([[1], [2], [3]], np.int8)),
        "indices": np.arange(3),
        "wall_s": 1.5,
        "engine": "host",
        "engine_version": "1",
        "instructions": np.array([7, 8, 9], np.uint64),
        "total_instructions": 30,
        "emulated_mips": 2.0,
        "stack_bytes": 99,
        "notes": ("a note",),
        "counts": COUNTS,
    }
    return Execution(**{**values, **changes})


def job(folder: Path, **changes: Any) -> Job:
    elf = folder / "x.elf"
    if not elf.exists():
        elf.write_bytes(b"an image")
    return replace(Job(Image(elf, None, 0, None, 16, 1, {}, {}), SAMPLES, folder), **changes)


def asked(engine: Any, cache: Path, wanted: Job) -> Execution:
    return Kept(cache).of(engine, engine).run(wanted)


def alike(one: Execution, other: Execution) -> bool:
    arrays = ("answers", "indices", "instructions", "cycle_counter")
    plain = all(np.array_equal(getattr(one, name), getattr(other, name)) for name in arrays)
    rest = dict.fromkeys((*arrays, "counts", "cached"))
    of_counts = ("edge_counts", "event_counts")
    tables = all(np.array_equal(getattr(one.counts, name), getattr(other.counts, name)) for name in of_counts)
    empty = {"edge_counts": None, "event_counts": None}
    counts = replace(one.counts, **empty) == replace(other.counts, **empty) if one.counts and other.counts else True
    return plain and tables and counts and replace(one, **rest) == replace(other, **rest)


def test_what_was_seen_is_given_again(tmp_path: Path) -> None:
    """All of it, in another process as well; and how far it is."""
    engine, told = Counted(seen()), list[tuple[int, int]]()
    first = asked(engine, tmp_path / "cache", job(tmp_path))
    again = asked(engine, tmp_path / "cache", job(tmp_path, progress=lambda *so_far: told.append(so_far)))
    assert engine.runs == 1 and not first.cached and again.cached and told == [(3, 3)]
    assert alike(first, again) and again.counts and again.counts.code == COUNTS.code


OTHERS: dict[str, Callable[[Job, Counted], Job]] = {
    "samples": lambda wanted, _: replace(wanted, samples=SAMPLES + 1),
    "fewer samples": lambda wanted, _: replace(wanted, samples=SAMPLES[:2]),
    "profile": lambda wanted, _: replace(wanted, profile=True),
    "entry": lambda wanted, _: replace(wanted, image=replace(wanted.image, entry=4)),
    "board": lambda wanted, _: replace(wanted, board=load_board("sparkfun_edge")),
    "clock": lambda wanted, _: replace(wanted, cycles_per_instruction=2.0),
    "firmware": lambda wanted, _: rebuilt(wanted),
    "engine": lambda wanted, engine: setattr(engine, "told", "2") or wanted,
}


def rebuilt(wanted: Job) -> Job:
    wanted.image.elf.write_bytes(b"another image")
    return wanted


@pytest.mark.parametrize("kind", OTHERS)
def test_what_is_not_the_same_is_run(tmp_path: Path, kind: str) -> None:
    engine = Counted(seen())
    asked(engine, tmp_path / "cache", job(tmp_path))
    assert not asked(engine, tmp_path / "cache", OTHERS[kind](job(tmp_path), engine)).cached
    assert engine.runs == 2


def test_another_mcusim_runs_it_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Counted(seen())
    asked(engine, tmp_path / "cache", job(tmp_path))
    monkeypatch.setattr(kept, "own_code", lambda: "another")
    assert not asked(engine, tmp_path / "cache", job(tmp_path)).cached


def test_neither_paths_nor_patience_matter(tmp_path: Path) -> None:
    engine, other = Counted(seen()), tmp_path / "other"
    other.mkdir()
    asked(engine, tmp_path / "cache", job(tmp_path))
    assert asked(engine, tmp_path / "cache", job(other, stall_s=5.0)).cached


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: data[: len(data) // 2],
        lambda data: data[:-1] + bytes([data[-1] ^ 1]),
        lambda data: data.replace(b"mcusim 1 ", b"mcusim 0 ", 1),
        lambda data: b"",
        lambda data: data + b"x",
        lambda data: b"PK\x03\x04" * 100,
    ],
)
def test_what_is_damaged_is_run_again_and_told(tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    engine, cache = Counted(seen()), tmp_path / "cache"
    asked(engine, cache, job(tmp_path))
    [path] = cache.iterdir()
    path.write_bytes(damage(path.read_bytes()))
    again = asked(engine, cache, job(tmp_path))
    assert engine.runs == 2 and not again.cached
    assert again.notes[0] == "a note" and "is ignored, and was run again" in again.notes[1]
    assert asked(engine, cache, job(tmp_path)).cached, "it was written anew"


def test_a_file_under_another_name_is_not_believed(tmp_path: Path) -> None:
    engine, cache = Counted(seen()), tmp_path / "cache"
    asked(engine, cache, job(tmp_path))
    [path] = cache.iterdir()
    other = job(tmp_path, profile=True)
    asked(engine, cache, other)
    [fresh] = set(cache.iterdir()) - {path}
    fresh.write_bytes(path.read_bytes())
    assert "it is of another run" in asked(engine, cache, other).notes[-1]


def test_an_interrupted_run_is_not_kept(tmp_path: Path) -> None:
    engine = Counted(seen(complete=False))
    asked(engine, tmp_path / "cache", job(tmp_path))
    assert not list((tmp_path / "cache").iterdir())


def test_the_folder_stays_within_its_bound(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was not used for longest goes; files of others stay."""
    engine, cache = Counted(seen()), tmp_path / "cache"
    for number in range(4):
        asked(engine, cache, job(tmp_path, cycles_per_instruction=float(number)))
    sizes = {path.stat().st_size for path in cache.iterdir()}
    (cache / "mine.txt").write_text("x" * 10_000)
    for path in cache.glob(f"*{SUFFIX}"):
        os.utime(path, (0, 0))
    assert asked(engine, cache, job(tmp_path, cycles_per_instruction=0.0)).cached
    monkeypatch.setattr(kept, "LARGEST_FOLDER_BYTES", int(2.5 * max(sizes)))
    asked(engine, cache, job(tmp_path, cycles_per_instruction=9.0))
    assert len(list(cache.glob(f"*{SUFFIX}"))) == 2 and (cache / "mine.txt").exists()
    assert asked(engine, cache, job(tmp_path, cycles_per_instruction=0.0)).cached, "it was used a moment ago"


def test_a_folder_that_cannot_be_written_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(path: Path, data: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(kept_files, "write_bytes", full)
    engine = Counted(seen())
    assert asked(engine, tmp_path / "cache", job(tmp_path)) is engine.seen


def linked(*given: Any) -> Firmware:
    """As the stand-in builds it, with a file."""
    made = lines.make_firmware(*given)
    made.elf.parent.mkdir(parents=True, exist_ok=True)
    made.elf.write_bytes(made.elf_sha256.encode())
    return made


def test_a_run_says_that_it_is_cached(stages: FakeStages, tmp_path: Path) -> None:
    """All figures are those of the first; a shard keeps its samples, and a whole run its own."""
    stages.make_firmware = linked
    chosen, cache = experiment(tmp_path), tmp_path / "cache"
    first = run(chosen, tmp_path / "1", Silent(), cache=cache)
    again = run(chosen, tmp_path / "2", Silent(), cache=cache)
    assert [one.cached for one in first.runs] == [False, False] and [one.cached for one in again.runs] == [True, True]
    assert tuple(replace(one, cached=False) for one in again.runs) == first.runs and stages.engine.runs == 2
    run(chosen, tmp_path / "3", Silent(), cache=cache, shard=Which(1, 4))
    assert stages.engine.runs == 3
    other = experiment(tmp_path, target=Target(engine="host", jobs=1, samples=5))
    assert not any(one.cached for one in run(other, tmp_path / "4", Silent(), cache=cache).runs)


def test_without_a_cache_nothing_is_kept(engine: FakeEngine, tmp_path: Path) -> None:
    run(experiment(tmp_path), tmp_path / "1", Silent())
    run(experiment(tmp_path), tmp_path / "2", Silent())
    assert engine.runs == 4
