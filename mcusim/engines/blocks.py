"""What is counted of a firmware: blocks of instructions that run from their first to their last."""

from __future__ import annotations

from typing import NamedTuple


class Block(NamedTuple):
    """Instructions from `start` up to, not including, `end`. One with 0 `instructions` is all outside the markers."""

    start: int
    end: int
    instructions: int
