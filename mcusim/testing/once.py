"""Experiment -> Report, each once for all tests and processes of a test session.

What a run depends on has a digest: the experiment as it was chosen, and the bytes of its models, data and boards. A
folder of that name has the report, once a process has made it; meanwhile the others wait. It is for a session, in which
compilers and emulators stay what they are.
"""

from contextlib import suppress
from hashlib import sha256
from pathlib import Path

from mcusim.experiment.experiment import Experiment
from mcusim.reports.report import REPORT, Report
from mcusim.system.cache import locked
from mcusim.system.errors import McusimError
from mcusim.system.files import sha256_of
from mcusim.testing.session import Session


class Once(Session):
    """A Session that keeps what it ran in `folder`, which other processes share."""

    def __init__(self, folder: Path, cache: Path | None = None) -> None:
        """`cache`: what engines saw is kept there beyond the session."""
        super().__init__()
        self._folder, self._cache = folder, cache
        self._known: dict[str, Report] = {}

    def report(self, chosen: Experiment) -> Report:
        """Raises as `Session.run`; what ended all runs is tried again when it is asked for again."""
        name = digest(chosen)
        if name not in self._known:
            self._folder.mkdir(parents=True, exist_ok=True)
            with locked(self._folder / f"{name}.lock"):
                out = self._folder / name
                self._known[name] = _finished(out / REPORT) or self.run_opened(chosen, out, self._cache)
        return self._known[name]


def _finished(path: Path) -> Report | None:
    with suppress(McusimError):
        report = Report.read(path)
        return report if report.complete else None
    return None


def digest(chosen: Experiment) -> str:
    """Of an experiment, and of all files of it that are there."""
    sha = sha256(repr(chosen).encode())
    for path in sorted(set(filter(Path.is_file, chosen.files))):
        with suppress(OSError):  # the run tells of a file that cannot be read
            sha.update(f"{path} {sha256_of(path)}\n".encode(errors="surrogateescape"))
    return sha.hexdigest()[:32]
