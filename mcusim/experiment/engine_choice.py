"""`qemu,renode` -> engines that can run side by side, and whether they need a board."""

from mcusim.engines import ENGINES
from mcusim.system.validation import Unusable, known


def split_engines(text: str) -> tuple[str, ...]:
    """`qemu,renode` -> both, in that order."""
    return tuple(part.strip() for part in text.split(","))


def check_engines(text: str) -> None:
    """Raises Unusable unless `text` names engines that can run side by side."""
    engines = split_engines(text)
    for engine in engines:
        known(engine, list(ENGINES), "engine")
    if len(set(engines)) < len(engines):
        raise Unusable(f"an engine is there twice: {text!r}", "name each once")
    alone = [engine for engine in engines if not needs_board(engine)]
    if alone and len(engines) > 1:
        raise Unusable(f"engine {alone[0]!r} runs on no board: {text!r}", "compare emulators, for example qemu,renode")


def needs_board(engine: str) -> bool:
    """Whether what an engine runs is built for a board; so it is with an engine that nobody knows."""
    return engine not in ENGINES or ENGINES[engine].FACTS.needs_board
