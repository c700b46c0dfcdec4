"""How far a piece of work is: told to whoever asks, drawn only by the command line."""

from __future__ import annotations

from collections.abc import Callable

Progress = Callable[[int, int], None]  # (done, in total); a total of 0 is one that nobody knows
