"""The fixtures of engines: what is measured here runs in them."""

from __future__ import annotations

from tests.engines.conftest import build_folder, nucleo

__all__ = ["build_folder", "nucleo"]
