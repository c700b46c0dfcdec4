"""A path -> Side: the reports that are there."""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

from mcusim.comparison.comparison import Side
from mcusim.reports.report import REPORT, Report
from mcusim.system.errors import ConfigurationError

MOST_REPORTS = 1000


def find(path: Path) -> Side:
    """A report.json; a folder with one; or all of them in the folders below, in the order of their names.

    A path that is not there, or a folder without any, is a Side without reports. Raises DataError for what is no
    report, ConfigurationError for what cannot be read.
    """
    files = tuple(_files(path))
    return Side(path, files, tuple(map(Report.read, files)))


def _files(path: Path) -> list[Path]:
    try:
        is_folder = stat.S_ISDIR(path.stat().st_mode)
    except (FileNotFoundError, NotADirectoryError):
        return []
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from None
    if not is_folder:
        return [path]
    if (path / REPORT).is_file():
        return [path / REPORT]
    found: list[Path] = []
    for file in _below(path):
        found.append(file)
        if len(found) > MOST_REPORTS:
            hint = "name a folder with fewer, or a report.json"
            raise ConfigurationError(f"there are more than {MOST_REPORTS} reports", where=str(path), hint=hint)
    return sorted(found)


def _unreadable(path: Path, error: OSError | ValueError) -> ConfigurationError:
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    hint = "give a report.json, the folder of a run, or a folder with several below"
    return ConfigurationError(f"cannot read {path.name!r}: {reason}", where=str(path), hint=hint)


def _below(path: Path) -> Iterator[Path]:
    def trouble(error: OSError) -> None:
        raise _unreadable(Path(error.filename), error)

    for folder, folders, files in os.walk(path, onerror=trouble):
        folders.sort()
        if REPORT in files:
            yield Path(folder) / REPORT
