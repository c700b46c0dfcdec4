"""Work that is begun before anybody asks for it, in a thread: the process waits for other programs meanwhile."""

import ctypes
import threading
from collections.abc import Callable
from contextlib import suppress


class Ahead:
    """One piece of work at a time. What it makes it leaves in a `Once`; who asks there is told its errors, too."""

    def __init__(self) -> None:
        self._thread: threading.Thread | None = None

    def begin(self, work: Callable[[], object]) -> None:
        """Waits for the piece before."""
        if self._thread:
            self._thread.join()
        self._thread = threading.Thread(target=_do, args=(work,), daemon=True)
        self._thread.start()

    def end(self) -> None:
        """What is not done by now is left as by Ctrl-C, which Python gives to the main thread alone."""
        if self._thread and self._thread.is_alive():
            number = ctypes.c_ulong(self._thread.ident or 0)
            ctypes.pythonapi.PyThreadState_SetAsyncExc(number, ctypes.py_object(KeyboardInterrupt))
            self._thread.join()


def _do(work: Callable[[], object]) -> None:
    with suppress(BaseException):  # an error is met again by who asks for what was to be made
        work()
