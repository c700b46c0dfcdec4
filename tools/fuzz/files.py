"""Some seeds -> a hostile file each, for a command that reads such: it ends as documented, soon, and does no harm.

Bad is: a traceback, an exit code that README does not have, no end, memory without bound, a control character in
what is said or written, a file elsewhere than in --out, and C that no compiler takes.
"""

from __future__ import annotations

import random
import re
import shutil
import subprocess
import unicodedata
from collections.abc import Iterator, Sequence
from functools import cache
from pathlib import Path

from mcusim.system.cache import cache_folder
from tools.fuzz import child, good_files
from tools.fuzz.child import Ended
from tools.fuzz.good_files import SUBJECTS, Subject
from tools.fuzz.kind import Failure, Kind, Outcome, packages, told
from tools.fuzz.mutations import EVIL, mutated

TOGETHER, LONGEST_S = 20, 3600.0
CODES = (0, 2, 3, 4, 5, 6, 7)
HARMLESS = "\n\t"
BELOW = "a/b/work"  # so that ../.. is still ours
TEXTS = (".c", ".h", ".S", ".toml", ".md", ".xml")


def run(seeds: Sequence[int], folder: Path) -> Outcome:
    outcome = Outcome()
    for seed in seeds:
        chance = random.Random(seed)
        with packages():
            subject = _subject(chance.randrange(len(SUBJECTS)))
        outcome.counts.update(("all", f"files: {subject.kind}"))
        try:
            what = trouble(subject, chance, folder / str(seed))
        except Exception as error:
            what = f"{told(error)} (of the fuzzer itself)"
        if what:
            outcome.failures.append(Failure(seed, what))
        shutil.rmtree(folder / str(seed), ignore_errors=True)
    return outcome


@cache
def _subject(number: int) -> Subject:
    import mcusim.line.case  # so that children have them
    import mcusim.pipeline  # noqa: F401

    return SUBJECTS[number]()


def trouble(subject: Subject, chance: random.Random, top: Path) -> str:
    work = top / BELOW
    work.mkdir(parents=True)
    for name in subject.beside:
        shutil.copy(good_files.folder() / name, work / name)
    if subject.before:
        shutil.copytree(good_files.folder() / subject.before, work / "out")
    file = work / subject.name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(mutated(chance, subject.contents))
    words = [word.format(file=subject.name) for word in chance.choice(subject.commands)]
    before = states(top)
    home = top / "home"
    environment = {"HOME": str(home), "TMPDIR": str(home), "MCUSIM_CACHE_DIR": str(cache_folder()), "COLUMNS": "100"}
    if good_files.STAND_IN in subject.beside:
        environment |= {"MCUSIM_QEMU": str(work / good_files.STAND_IN), "FUZZ_SEED": str(chance.randrange(2**32))}
    home.mkdir()
    ended = child.run(words, work, environment)
    what = of_end(ended) or of_files(top, work, before) or (of_code(work / "out") if ended.code == 0 else "")
    return f"mcusim {' '.join(words)}: {what}" if what else ""


def of_end(ended: Ended) -> str:
    text = ended.said.decode("utf-8", "replace")
    if ended.code is None:
        return f"no end after {child.WALL_S:.0f} s; it said {text[-200:]!r}"
    if "Traceback (most recent call last)" in text:
        return f"a traceback: {text[-500:]!r}"
    if ended.code not in CODES:
        return f"it ended with {ended.code}: {text[-300:]!r}"
    if ended.peak_bytes > child.MEMORY_BYTES:
        return f"it took {ended.peak_bytes >> 20} MiB; code {ended.code}, {text[-300:]!r}"
    if ended.code in (2, 3) and "hint:" not in text:
        return f"no hint: {text[-300:]!r}"
    return _of_text(text, "what it says")


def _of_text(text: str, where: str) -> str:
    for char in text:
        if char not in HARMLESS and unicodedata.category(char) in ("Cc", "Cf", "Cs"):
            place = text.index(char)
            return f"{where} has {char!r}: {text[max(0, place - 80) : place + 20]!r}"
    return ""


def _files(top: Path) -> Iterator[Path]:
    return (path for path in top.rglob("*") if not path.is_dir())


def states(top: Path) -> dict[Path, tuple[int, int]]:
    return {path: _state(path) for path in _files(top)}


def _state(path: Path) -> tuple[int, int]:
    found = path.lstat()
    return found.st_size, found.st_mtime_ns


def of_files(top: Path, work: Path, before: dict[Path, tuple[int, int]]) -> str:
    allowed = (work / "out", top / "home", work / good_files.RECORD, work.parent / "said")
    for path in _files(top):
        is_ours = any(path == one or one in path.parents for one in allowed) or before.get(path) == _state(path)
        if EVIL in path.name or not is_ours:
            return f"it wrote {path.relative_to(top)}"
        if work / "out" in path.parents and path.suffix in TEXTS:
            what = _of_text(path.read_text(encoding="utf-8"), str(path.relative_to(work)))
            if what:
                return what
    if Path("/tmp", EVIL).exists() or Path(f"~/{EVIL}").expanduser().exists():
        return "it wrote outside of its folder"
    return ""


def of_code(out: Path) -> str:
    """Is what it wrote C, XML?"""
    compiler = shutil.which("gcc") or shutil.which("cc")
    for header in sorted(out.rglob("model.h")) if compiler else ():
        sources = [path.name for path in sorted(header.parent.glob("*.c"))]
        words = [str(compiler), "-fsyntax-only", "-std=gnu11", "-Wall", "-Werror", "-I.", *sources]
        done = subprocess.run(words, cwd=header.parent, capture_output=True, text=True, check=False)
        if done.returncode:
            return f"its C is none: {re.sub(r'[^ -~]+', ' ', done.stderr)[:300]}"
    for path in out.rglob("*.xml"):
        import xml.etree.ElementTree as ElementTree

        ElementTree.parse(path)
    return ""


KINDS = (Kind("files", TOGETHER, LONGEST_S, run),)
