"""The fixtures of engines: faults happen in them."""

from __future__ import annotations

from tests.engines.conftest import build_folder, ctrl_c, nucleo

__all__ = ["build_folder", "ctrl_c", "nucleo"]
