"""hardware: the map of real boards that are attached to this machine."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from mcusim.commands import completion, options
from mcusim.commands.inventory import print_table
from mcusim.commands.streams import say
from mcusim.system.errors import OK, MissingToolError

if TYPE_CHECKING:
    from mcusim.engines.hardware.attached import Attached
    from mcusim.engines.hardware.usb import Port


@click.group()
def hardware() -> None:
    """Real boards: which are known, which are connected."""


@hardware.command("list")
@options.hardware_option
def list_(hardware: Path | None) -> None:
    """The boards of the map."""
    from mcusim.engines.hardware.attached import default_map, read_map

    rows = [
        (one.id, one.type, _place(one), one.server or "-", str(one.baud), one.meter.kind if one.meter else "-")
        for one in read_map(hardware)
    ]
    if rows:
        print_table(("id", "type", "where", "server", "baud", "meter"), rows)
    else:
        say(f"no boards in {hardware or default_map()}: mcusim hardware add ID TYPE")


def _place(board: Attached) -> str:
    told = [f"{key} {value}" for key in ("serial", "usb", "port") if (value := getattr(board, key))]
    return ", ".join(told) or "-"


@hardware.command()
@options.hardware_option
def scan(hardware: Path | None) -> None:
    """Probes, serial adapters and meters that are connected."""
    from mcusim.engines.hardware.attached import read_map
    from mcusim.engines.hardware.check import PLUG_IN
    from mcusim.engines.hardware.usb import named, ports

    there, boards = ports(), read_map(hardware)
    if not there:
        say(f"no serial port on USB: {PLUG_IN}")
        return
    known = {port.path: board.id for board in boards for port in named(board, there)}
    print_table(("port", "what", "serial", "usb", "board"), [_row(port, known.get(port.path, "-")) for port in there])


def _row(port: Port, board: str) -> tuple[str, ...]:
    from mcusim.system.names import printable

    title = port.device.title if port.device else "unknown"
    return (port.path, title, *(printable(text or "-") for text in (port.serial, port.usb)), board)


@hardware.command()
@click.argument("name", metavar="ID")
@click.argument("type_", metavar="TYPE", shell_complete=completion.boards)
@click.option("--serial", metavar="N", help="Serial number of its probe, or serial adapter.")
@click.option("--usb", metavar="PLACE", help="Its place on the bus, where it has no serial number.")
@click.option("--port", metavar="DEVICE", help="Its serial port, as /dev/serial/by-path/...")
@click.option("--server", metavar="S", help="openocd, pyocd, jlink, st-util, probe-rs, or host:port.")
@options.hardware_option
def add(name: str, type_: str, hardware: Path | None, **told: Any) -> None:
    """Write a board into the map.

    Without options it is the only connected one that is not in the map yet.
    """
    from mcusim.engines.hardware.add import add as add_to
    from mcusim.engines.hardware.attached import default_map

    given = {key: value for key, value in told.items() if value is not None}
    board = add_to(hardware or default_map(), {"id": name, "type": type_, **given})
    say(f"{hardware or default_map()}: board {board.id!r}, {board.type}, {_place(board)}")


@hardware.command()
@options.hardware_option
def check(hardware: Path | None) -> int:
    """Tell what is missing for the boards of the map.

    Nothing is sent to them. Exit code 4 when one could not be used.
    """
    from mcusim.engines.hardware.attached import read_map
    from mcusim.engines.hardware.check import PLUG_IN, examine
    from mcusim.engines.hardware.usb import ports

    there, boards = ports(), read_map(hardware)
    if not boards:
        if any(port.device for port in there):
            hint = "mcusim hardware scan shows what is connected, mcusim hardware add ID TYPE writes it into the map"
            raise MissingToolError("the hardware map has no boards", hint=hint)
        hint = f"{PLUG_IN}; then mcusim hardware add ID TYPE"
        raise MissingToolError("no board is connected, and the hardware map has none", hint=hint)
    findings = examine(boards, there)
    width = max(len(one.board) for one in findings)
    for one in findings:
        say(f"{'problem' if one.hint else 'ok     '}  {one.board:{width}}  {one.what}")
        if one.hint:
            say(f"{'':9}{'':{width}}  {one.hint}")
    return MissingToolError.exit_code if any(one.hint for one in findings) else OK
