"""What a test needs and this machine does not have."""

from __future__ import annotations

import os
from typing import NoReturn

import pytest


def skip_or_fail(name: str, reason: str) -> NoReturn:
    """Skips with the reason; fails where MCUSIM_REQUIRE has the name."""
    if name in os.environ.get("MCUSIM_REQUIRE", "").split(","):
        pytest.fail(f"MCUSIM_REQUIRE={name}, but {reason}", pytrace=False)
    pytest.skip(reason)
