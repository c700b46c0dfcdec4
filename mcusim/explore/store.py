"""Points that were evaluated, kept by the digest of what they depend on: nothing is evaluated twice.

Each is a line of a file, written as soon as it is known, so that whatever ends an exploration loses at most what was
being evaluated.
"""

import json
import os
from pathlib import Path

from mcusim.explore.point import Point
from mcusim.system.own_code import own_code

EVALUATIONS = "evaluations.jsonl"
LARGEST_FILE_BYTES = 2**30


class Store:
    """`ignored`: how many lines of the file are of another mcusim, or none of ours."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.ignored = 0
        self._points: dict[str, Point] = {}
        if path.is_file() and path.stat().st_size <= LARGEST_FILE_BYTES:
            for line in path.read_text(encoding="utf-8", errors="replace").splitlines():
                self._read(line)

    def _read(self, line: str) -> None:
        try:
            told = json.loads(line)
            if told["mcusim"] != own_code():
                raise ValueError
            self._points[str(told["key"])] = Point.of(told["point"])
        except (ValueError, KeyError, TypeError, RecursionError):
            self.ignored += 1

    def get(self, key: str) -> Point | None:
        return self._points.get(key)

    def keep(self, key: str, point: Point) -> None:
        """On the disk when this returns."""
        self._points[key] = point
        text = json.dumps({"mcusim": own_code(), "key": key, "point": point.told()}, default=str)
        self._path.parent.mkdir(parents=True, exist_ok=True)
        with self._path.open("ab") as file:
            # A line that was cut off ends here: what is written now is none of it.
            file.write(text.encode() + b"\n" if self._ends_a_line() else b"\n" + text.encode() + b"\n")
            file.flush()
            os.fsync(file.fileno())

    def _ends_a_line(self) -> bool:
        if not self._path.stat().st_size:
            return True
        with self._path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) == b"\n"
