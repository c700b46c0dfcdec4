"""The fixtures of engines: faults happen in them."""

from __future__ import annotations

from tests.engines.conftest import board, build_folder, ctrl_c, nucleo

__all__ = ["board", "build_folder", "ctrl_c", "nucleo"]
