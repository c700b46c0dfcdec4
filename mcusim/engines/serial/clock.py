"""A board's counter of cycles and this machine's clock, read together now and then -> how fast its core runs."""

import time
from dataclasses import dataclass

ENOUGH_S = 1.0  # USB delays an answer by a millisecond or two
_LONGEST_GAP_S = 20.0  # between two readings: the counter comes round after 2**32 cycles, 21 s at 200 MHz
_ROUND = 1 << 32


@dataclass
class Clock:
    """`cycles` went on by in `seconds`, over all readings."""

    cycles: int = 0
    seconds: float = 0.0
    _counter: int | None = None
    _read_at: float = 0.0

    def tick(self, counter: int, now: float | None = None) -> None:
        """A reading. After a long gap it is the first of a new row."""
        now = time.monotonic() if now is None else now
        if self._counter is not None and now - self._read_at <= _LONGEST_GAP_S:
            self.cycles += (counter - self._counter) % _ROUND
            self.seconds += now - self._read_at
        else:
            self.cycles, self.seconds = 0, 0.0
        self._counter, self._read_at = counter, now

    @property
    def runs(self) -> bool:
        """Does the board count at all?"""
        return bool(self._counter) or self.cycles > 0

    @property
    def hz(self) -> float | None:
        """None where it does not count, or was not watched for long enough."""
        return self.cycles / self.seconds if self.cycles and self.seconds >= ENOUGH_S else None
