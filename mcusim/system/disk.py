"""What to tell a user whose disk is full or whose folder cannot be written."""

import shutil
from pathlib import Path

WRITE_HINT = "choose another folder with --out, or make room there"
_NEARLY_FULL_BYTES = 1 << 20


def full_disk_hint(folder: Path) -> str | None:
    """The hint for a failure that a full disk explains; None when there is room."""
    try:
        free = shutil.disk_usage(folder).free
    except OSError:
        return None
    return f"the disk is full ({free:,} bytes left): {WRITE_HINT}" if free < _NEARLY_FULL_BYTES else None
