"""How far a piece of work is: told to whoever asks, drawn only by the command line."""

from collections.abc import Callable

Progress = Callable[[int, int], None]  # (done, in total); a total of 0 is one that nobody knows


class Listener:
    """The part of a `Watcher` that hears of downloads."""

    def stage(self, text: str) -> None:
        """Something begins that may take a while."""

    def downloading(self, done_bytes: int, total_bytes: int) -> None:
        """How far a file is that the stage fetches. A total of 0: the server does not tell."""
