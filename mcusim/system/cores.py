"""Cores of this machine."""

import os


def cores() -> int:
    """That this process may use."""
    return len(os.sched_getaffinity(0))
