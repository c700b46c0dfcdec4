"""The hardware map and this machine -> what is wrong with each board, and one thing to do."""

import os
import socket
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mcusim.engines.hardware.attached import Attached
from mcusim.engines.hardware.locks import held
from mcusim.engines.hardware.meters import look_for
from mcusim.engines.hardware.usb import PERMISSION_HINT, Port, is_tty, port_of
from mcusim.engines.probe.servers import kinds
from mcusim.system.errors import EngineError, McusimError

_CONNECT_S = 0.5
PLUG_IN = "plug in a NUCLEO-L452RE-P (USB at its ST-LINK) or a SparkFun Edge with a serial adapter"


@dataclass(frozen=True)
class Finding:
    """`hint` is empty where all is well."""

    board: str
    what: str
    hint: str = ""


def examine(boards: Sequence[Attached], there: Sequence[Port]) -> tuple[Finding, ...]:
    """Of each board of the map, in its order. Starts nothing, and sends nothing to any board."""
    return tuple(finding for board in boards for finding in _of_board(board, there))


def _of_board(board: Attached, there: Sequence[Port]) -> Iterator[Finding]:
    looks: list[Callable[[], str]] = [lambda: _free(board)]
    if board.port or board.serial or board.usb or not board.server:
        looks.append(lambda: _port(board, there))
    if board.server:
        looks.append(lambda: _server(board))
    if board.meter:
        looks.append(lambda: _meter(board, there))
    if board.mount:
        looks.append(lambda: _mount(board))
    for look in looks:
        try:
            yield Finding(board.id, look())
        except McusimError as error:
            yield Finding(board.id, error.what, error.hint or "see docs/hardware.md")


def _free(board: Attached) -> str:
    with held(board):
        return "nobody uses it"


def _port(board: Attached, there: Sequence[Port]) -> str:
    return f"port {_usable(port_of(board, there))}"


def _meter(board: Attached, there: Sequence[Port]) -> str:
    assert board.meter
    port = look_for(board.meter, there)
    return f"meter {board.meter.kind}{f' at {_usable(port)}' if port else ''}"


def _usable(path: str) -> str:
    """Raises EngineError for a serial port that is not."""
    if not os.path.exists(path):
        raise EngineError(f"there is no {path!r}", hint="plug it in, or correct 'port' in the hardware map")
    if not is_tty(path):
        raise EngineError(
            f"{path!r} is no serial port", hint="correct 'port' in the hardware map: mcusim hardware scan"
        )
    if not os.access(path, os.R_OK | os.W_OK):
        raise EngineError(f"no permission to use {path!r}", hint=PERMISSION_HINT)
    return path


def _server(board: Attached) -> str:
    assert board.server
    if board.address is None:
        return f"server {kinds()[board.server].found()}"
    try:
        with socket.create_connection(board.address, _CONNECT_S):
            return f"a server listens at {board.server}"
    except OSError as error:
        what = f"nobody listens at {board.server}: {error.strerror or error}"
        raise EngineError(what, hint="start the server of its probe, or name a program in the map") from None


def _mount(board: Attached) -> str:
    mount = board.mount or Path()
    if not os.access(mount, os.W_OK):
        hint = "mount the disk of its ST-LINK there, or correct 'mount' in the hardware map"
        raise EngineError(f"cannot write to {str(mount)!r}", hint=hint)
    return f"disk {mount}"
