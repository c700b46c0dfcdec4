"""Job + engine -> its board, or the error that its image was built for another engine or board."""

from mcusim.boards.board import Board, MemoryMap
from mcusim.engines.engine import Facts, Job
from mcusim.system.errors import EngineError

MAILBOX = "mcusim_mailbox"


def board_of(job: Job, facts: Facts) -> Board:
    """Raises EngineError without one."""
    if job.board is None:
        what = f"{facts.title} runs a firmware for a board, and none is named"
        raise EngineError(what, where=str(job.image.elf), hint="name one: --board")
    return job.board


def check_linked_for(job: Job, board: Board, facts: Facts, *, mailbox: bool) -> MemoryMap:
    """The memory that the image is linked for. Raises EngineError unless that is `board` as the engine emulates it.

    `mailbox`: does the engine give samples through the mailbox in RAM?
    """
    image, engine, where = job.image, facts.title, str(job.image.elf)
    memory = board.memory if facts.memory_map is None else facts.memory_map(board)
    hint = f"build it for this board and for engine {facts.name}"
    if image.native:
        raise EngineError(f"this program is for the host engine, not for {engine}", where=where, hint=hint)
    places_known = (image.symbols.get(name) for name in ("mcusim_vectors", "mcusim_stack_start"))
    have = [symbol.address if symbol else 0 for symbol in places_known]
    want = [memory.flash.origin, memory.ram.origin]
    if have != want or (".reset" in image.sections) != (memory.reset_at is not None):
        places = "flash at 0x{:08X} and RAM at 0x{:08X}"
        told = f"this firmware was linked for {places.format(*have)}, {engine} has {places.format(*want)}"
        raise EngineError(told, where=where, hint=hint)
    if (MAILBOX in image.symbols) != mailbox:
        has = "waits for samples in its mailbox" if not mailbox else "has no mailbox for samples"
        raise EngineError(f"this firmware {has}: {engine} cannot run it", where=where, hint=hint)
    return memory
