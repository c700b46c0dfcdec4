"""Exit codes of a firmware (codegen/harness/transport.h) -> what happened."""

from __future__ import annotations

from mcusim.engines.shares import Share
from mcusim.system.disk import full_disk_hint
from mcusim.system.errors import EngineError

FAULT = 20
_MEANINGS = {
    10: "the firmware cannot open its input",
    11: "the input ends in the middle of a sample",
    12: "the firmware cannot write an output",
    13: "the firmware cannot write its last record",
}


def explain_exit_code(share: Share, code: int) -> EngineError | None:
    """The error that a transport ended with, or None when `code` is none of its own."""
    if code not in _MEANINGS:
        return None
    where = f"sample {share.first + share.finished}, {share.folder}"
    return EngineError(
        _MEANINGS[code],
        where=where,
        hint=full_disk_hint(share.folder) or "is the folder writable, and does nobody else write there?",
    )
