"""Whole firmware sources: what goes in, for which engine."""

from __future__ import annotations

import pytest

from mcusim.boards.load import load_board
from mcusim.engines import ENGINES
from mcusim.line.sources import Sources
from mcusim.system.errors import ConfigurationError
from mcusim.workloads.generated import emit_firmware

LIBRARY = Sources({"model.c": "", "model.h": ""})
HOST, QEMU, RENODE = (ENGINES[name].FACTS for name in ("host", "qemu", "renode"))


def test_parts() -> None:
    firmware = emit_firmware(LIBRARY, QEMU, load_board("nucleo_l452re_p"))
    host = emit_firmware(LIBRARY, HOST, None)
    assert {"model.c", "linker.ld", "harness/startup.c", "harness/transport_semihosting.c"} <= set(firmware.files)
    assert "harness/transport_stdio.c" in host.files and "linker.ld" not in host.files
    assert firmware.files["harness/main.c"] == host.files["harness/main.c"]  # the same loop everywhere


def test_an_emulated_board_has_to_be_named() -> None:
    with pytest.raises(ConfigurationError, match="engine 'qemu' needs a board"):
        emit_firmware(LIBRARY, QEMU, None)


def test_a_library_may_not_replace_the_harness() -> None:
    with pytest.raises(ValueError, match="in both sets"):
        emit_firmware(Sources({"harness/main.c": ""}), HOST, None)


def test_linker_script_follows_the_map() -> None:
    edge = load_board("sparkfun_edge")
    real, emulated = (emit_firmware(LIBRARY, facts, edge).files["linker.ld"] for facts in (RENODE, QEMU))
    assert "flash (rx) : ORIGIN = 0x0000C000, LENGTH = 999424" in real and real.count("ORIGIN = 0x10000000") == 1
    assert "ORIGIN = 0x20000000, LENGTH = 393216" in emulated and ".reset :" in emulated and ".reset :" not in real


def test_registers_of_the_board_are_set_where_they_are() -> None:
    edge = load_board("sparkfun_edge")
    real, emulated = (emit_firmware(LIBRARY, facts, edge).files["harness/board.h"] for facts in (RENODE, QEMU))
    assert edge.start_up and edge.start_up[0].what in real and edge.start_up[0].what not in emulated
