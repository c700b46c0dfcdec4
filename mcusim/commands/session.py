"""What a command leaves behind for whoever prints how it ended."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path


@dataclass
class Session:
    """`out`: the folder that a command writes to. `finished_runs`: how many runs its `report` there holds by now."""

    out: Path | None = None
    finished_runs: int = 0
    report: str = "report.json"
    closers: list[Callable[[], None]] = field(default_factory=list)

    def close(self) -> None:
        """End progress bars, before anything else is printed."""
        for closer in self.closers:
            closer()
