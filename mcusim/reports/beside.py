"""What lies beside a report: files in the folders of its runs, too large for it."""

import os
from pathlib import Path


def folder_of(folder: Path, run_id: str) -> Path | None:
    """That of the run of that id; none where it could lie anywhere else: ids of a made up report may lead there."""
    return folder / run_id if os.path.basename(run_id) == run_id not in ("", ".", "..") else None


def file_of(folder: Path, run_id: str, name: str) -> Path | None:
    """A file in the folder of a run, if it is there."""
    own = folder_of(folder, run_id)
    return own / name if own and os.path.isfile(own / name) else None
