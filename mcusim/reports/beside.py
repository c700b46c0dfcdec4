"""What lies beside a report: files in the folders of its runs, too large for it."""

import os
from pathlib import Path


def file_of(folder: Path, run_id: str, name: str) -> Path | None:
    """A file in the folder of the run of that id, if it is there: ids of a made up report may lead anywhere."""
    path = folder / run_id / name
    return path if os.path.basename(run_id) == run_id not in ("", ".", "..") and os.path.isfile(path) else None
