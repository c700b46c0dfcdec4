"""Samples -> boards, a thread for each -> answers in sample order, whichever board gave them, however often it failed.

A board that is in trouble is connected anew (a reset), then after its power was off, then left out; what it did not
answer goes to the others. The first answer of a board after a start is asked for twice: its caches were cold.
"""

import signal
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import dataclass, field
from types import FrameType
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from mcusim.engines.engine import Execution, Facts, Job, LayerSums, Silicon
from mcusim.engines.hardware.attached import Attached
from mcusim.engines.hardware.layers import ByLayer
from mcusim.engines.hardware.meters import metered
from mcusim.engines.hardware.meters.reading import Reading
from mcusim.engines.hardware.meters.window import PIN, Metered, Repeating, loose_end, metered_power
from mcusim.engines.hardware.power import power_cycle, reset
from mcusim.engines.shares import check_sizes
from mcusim.system.errors import EngineError, McusimError

THREADS = "board"  # what the names of those of boards begin with
_LOOK_S = 0.05
_PIECES = 8  # of each board: what a fast one has done, it takes from the others
_LARGEST_PIECE = 64
_RECOVERED = 64  # answers after which a board is well again


class BoardTrouble(EngineError):
    """The board, its probe or its cable: it may go away when it is reset. Of firmware that is wrong, EngineError."""


class Stopped(Exception):
    """What a connection raises once it was told to stop."""


class Answered(NamedTuple):
    """`cycles`: what the cycle counter went on by around the model; None where nobody reads it."""

    output: bytes
    cycles: int | None = None


class Connection(Protocol):
    """A board that has the image, was reset, and waits for a sample."""

    def answer(self, sample: bytes, index: int) -> Answered:
        """Runs a sample, whose index in the job is told. May be given the same one again, which then runs again.

        Raises BoardTrouble (also when there is no answer for `job.stall_s`), Stopped, or EngineError for a fault.
        """

    def end(self) -> int | None:
        """No more samples: the deepest use of the stack in bytes, where it is known."""

    @property
    def clock_hz(self) -> float | None:
        """As measured against this machine's clock; None where that could not be done."""

    @property
    def window_cycles(self) -> int | None:
        """What the cycle counter goes on by around an empty model; None where that is not known."""


Stop = Callable[[], bool]  # a connection asks it at least every half second, and raises Stopped
Connect = Callable[[Attached, Job, Stop], AbstractContextManager[Connection]]


def run_on(boards: Sequence[Attached], job: Job, connect: Connect, facts: Facts, version: str) -> Execution:
    """All samples of `job`, on `boards`, which this run holds. Ctrl-C gives what is finished, and so does trouble.

    `connect` flashes and resets, as it needs, at every call. Raises EngineError of the firmware, or what the last board
    was left out for, where nothing was answered before.
    """
    check_sizes(job)
    work = _Work(job, connect, len(boards))
    began = time.monotonic()
    complete = _joined(boards, work)
    wall_s = time.monotonic() - began
    if work.bug:
        raise work.bug
    trouble = work.trouble if complete else None
    if trouble and not any(work.answered):
        raise trouble
    return work.execution(facts, version, wall_s, complete, boards, trouble)


def _joined(boards: Sequence[Attached], work: "_Work") -> bool:
    """A thread for each board, until all have ended: False after Ctrl-C.

    Not by `Thread.join`, which takes a thread that still works for one that has ended when Ctrl-C comes (Python 3.11).
    """
    complete, idle, running = True, deque(boards), set[Future[None]]()
    with ThreadPoolExecutor(len(boards), THREADS) as pool:
        try:
            while idle or running:
                try:
                    with _undisturbed():
                        running |= {pool.submit(work.of, idle.popleft()) for _ in range(len(idle))}
                    running = wait(running, _LOOK_S).not_done
                    work.tell()
                except KeyboardInterrupt:
                    complete = False
                    idle.clear()
                    work.stop.set()
        finally:
            work.stop.set()
    return complete


@contextmanager
def _undisturbed() -> Iterator[None]:
    """Ctrl-C comes when this ends: within the start of a thread it would leave one that nobody knows."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[tuple[int, FrameType | None]] = []
    before = signal.signal(signal.SIGINT, lambda *told: came.append(told))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
        if came and callable(before):
            before(*came[0])


class _Remedy(NamedTuple):
    """`apply` is False where it cannot be had. Then `pause_s`: USB needs time to see a device again."""

    apply: Callable[[Attached], bool]
    told: str
    pause_s: float


_REMEDIES = (_Remedy(reset, "was reset", 1.0), _Remedy(power_cycle, "had its power switched off and on", 3.0))


@dataclass
class _Work:
    job: Job
    connect: Connect
    boards: int
    pieces: deque[deque[int]] = field(init=False)
    answers: npt.NDArray[np.uint8] = field(init=False)
    cycles: npt.NDArray[np.int64] = field(init=False)  # -1: nobody read it
    answered: list[bool] = field(init=False)
    stop: threading.Event = field(default_factory=threading.Event)
    lock: threading.Condition = field(default_factory=threading.Condition)
    busy: int = 0
    done_by: Counter[str] = field(default_factory=Counter)
    error: McusimError | None = None
    bug: Exception | None = None
    left_out: list[EngineError] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    stacks: list[int] = field(default_factory=list)
    clocks: dict[str, float] = field(default_factory=dict)
    cold: list[int] = field(default_factory=list)
    windows: list[int] = field(default_factory=list)
    metered: list[Metered] = field(default_factory=list)
    layers: LayerSums | None = None

    def __post_init__(self) -> None:
        count = len(self.job.samples)
        size = max(1, min(_LARGEST_PIECE, count // (self.boards * _PIECES)))
        self.pieces = deque(deque(range(at, min(at + size, count))) for at in range(0, count, size))
        self.answers = np.zeros((count, self.job.image.output_bytes), np.uint8)
        self.cycles = np.full(count, -1, np.int64)
        self.answered = [False] * count

    def of(self, board: Attached) -> None:
        """What one board does until nothing is left to do."""
        try:
            self._of(board)
        except Stopped:
            pass
        except McusimError as error:
            self.error = self.error or error
            self._end_all()
        except Exception as error:  # told by the thread that waits
            self.bug = self.bug or error
            self._end_all()

    def _end_all(self) -> None:
        with self.lock:
            self.stop.set()
            self.lock.notify_all()

    @property
    def trouble(self) -> McusimError | None:
        """Why samples are left, once nobody works any more."""
        if self.error or all(self.answered):
            return self.error
        return self.left_out[-1]

    def _of(self, board: Attached) -> None:
        remedies = deque(_REMEDIES)
        while True:
            before = self.done_by[board.id]
            try:
                self._connected(board)
                return
            except BoardTrouble as trouble:
                if self.done_by[board.id] - before >= _RECOVERED:
                    remedies = deque(_REMEDIES)
                if not self._remedied(board, remedies, trouble):
                    return

    def _remedied(self, board: Attached, remedies: deque[_Remedy], trouble: EngineError) -> bool:
        """The next remedy that can be had; False once the board is left out, or nobody wants it any more."""
        while remedies and not self.stop.is_set():
            remedy = remedies.popleft()
            try:
                if not remedy.apply(board):
                    continue
            except EngineError as error:
                self._note(f"board {board.id!r}: {error.what}")
                continue
            self.stop.wait(remedy.pause_s)
            self._note(f"board {board.id!r} {remedy.told}: {trouble.what}")
            return not self.stop.is_set()
        if self.stop.is_set():
            return False
        with self.lock:
            self.left_out.append(trouble)
            self.lock.notify_all()
        self._note(f"board {board.id!r} was left out: {trouble.what}")
        return False

    def _note(self, text: str) -> None:
        with self.lock:
            if text not in self.notes:
                self.notes.append(text)

    def _connected(self, board: Attached) -> None:
        piece = self._next()
        if piece is None:
            return
        try:
            with ExitStack() as stack:  # a meter may be what supplies the board
                reading = stack.enter_context(metered(board.meter)) if board.meter else None
                connection = stack.enter_context(self.connect(board, self.job, self.stop.is_set))
                stack.callback(self._learn, connection, board)
                self._warm_up(connection, piece[0])
                while piece is not None:
                    self._answer(connection, piece, board)
                    piece = self._next()
                if not self.stop.is_set():
                    self._measure(connection, reading, board)
                if not self.stop.is_set():
                    self._end(connection)
        finally:
            self._give_back(piece)

    def _end(self, connection: Connection) -> None:
        layers = connection.layers() if isinstance(connection, ByLayer) else None
        stack_bytes = connection.end()
        with self.lock:
            self.layers = layers.plus(self.layers) if layers and self.layers else layers or self.layers
            self.stacks += [] if stack_bytes is None else [stack_bytes]

    def _learn(self, connection: Connection, board: Attached) -> None:
        """What is known of a board however its connection ends."""
        with self.lock:
            self.windows += [] if connection.window_cycles is None else [connection.window_cycles]
            if connection.clock_hz is not None:
                self.clocks[board.id] = connection.clock_hz

    def _measure(self, connection: Connection, reading: Reading | None, board: Attached) -> None:
        """What the board takes while it runs the first sample again and again."""
        meter, pin = board.meter, PIN in self.job.image.symbols
        for text in loose_end(board, pin):
            self._note(text)
        if not reading or not meter:
            return
        able = isinstance(connection, Repeating) and connection.may_repeat()
        counted, clock_hz = self.cycles[self.cycles >= 0], connection.clock_hz
        if not isinstance(connection, Repeating) or not able or not len(counted) or not clock_hz:
            self._note(f"the meter of board {board.id!r} was not asked: nothing tells how long a sample takes there")
            return
        sample, latency_s = self.job.samples[0].tobytes(), counted.mean() / clock_hz
        began = time.monotonic()
        try:
            connection.answer(sample, 0)
            around_s = max(0.0, time.monotonic() - began - latency_s)
            found = metered_power(connection, reading, meter, sample, latency_s, around_s, pin)
        except BoardTrouble:
            self._note(
                f"the meter of board {board.id!r} saw no whole run of it: energy does not follow from what it saw"
            )
            raise
        with self.lock:
            self.metered.append(found)

    def _next(self) -> deque[int] | None:
        """A piece of the work; waits while another board may still give one back."""
        with self.lock:
            while not self.pieces and self.busy and not self.stop.is_set():
                self.lock.wait(_LOOK_S)
            if not self.pieces or self.stop.is_set():
                return None
            self.busy += 1
            return self.pieces.popleft()

    def _give_back(self, piece: deque[int] | None) -> None:
        if piece is not None:
            with self.lock:
                self.busy -= 1
                self.pieces += [piece] if piece else []
                self.lock.notify_all()

    def _warm_up(self, connection: Connection, index: int) -> None:
        first = connection.answer(self.job.samples[index].tobytes(), index)
        if first.cycles is not None:
            with self.lock:
                self.cold.append(first.cycles)

    def _answer(self, connection: Connection, piece: deque[int], board: Attached) -> None:
        while piece:
            if self.stop.is_set():
                raise Stopped
            index = piece[0]
            output, cycles = connection.answer(self.job.samples[index].tobytes(), index)
            self.answers[index] = np.frombuffer(output, np.uint8)
            self.cycles[index] = -1 if cycles is None else cycles
            self.answered[index] = True
            self.done_by[board.id] += 1
            piece.popleft()
        with self.lock:
            self.busy -= 1
            self.lock.notify_all()

    @property
    def _power_w(self) -> float:
        """By meters, else by the board's file."""
        board, seen = self.job.board, [one.power_w for one in self.metered]
        return sum(seen) / len(seen) if seen else board.current_a * board.supply_v if board else 0.0

    @property
    def _energy_j(self) -> float | None:
        seen = [one.energy_j for one in self.metered if one.energy_j is not None]
        return sum(seen) / len(seen) if seen else None

    def tell(self) -> None:
        if self.job.progress:
            self.job.progress(sum(self.answered), len(self.answered))

    def execution(
        self,
        facts: Facts,
        version: str,
        wall_s: float,
        complete: bool,
        boards: Sequence[Attached],
        trouble: McusimError | None,
    ) -> Execution:
        done, complete = np.flatnonzero(self.answered), complete and not trouble
        cycles = self.cycles[done]
        counted = len(cycles) > 0 and bool((cycles >= 0).all())
        return Execution(
            answers=self.answers[done],
            indices=done.astype(np.int64),
            wall_s=wall_s,
            engine=facts.name,
            engine_version=version,
            complete=complete,
            trouble=trouble,
            stack_bytes=max(self.stacks, default=None) if complete else None,
            notes=tuple(self.notes),
            cycle_counter=cycles.astype(np.uint64) if counted else None,
            silicon=Silicon(
                boards=tuple(board.id for board in boards),
                clock_hz=tuple(self.clocks.items()),
                cold_cycles=tuple(self.cold),
                window_cycles=max(self.windows, default=None),
                power_w=self._power_w,
                metered=bool(self.metered),
                energy_j=self._energy_j,
                layers=self.layers,
            ),
        )
