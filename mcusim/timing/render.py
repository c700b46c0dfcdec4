"""Profile -> text: a table of functions and lines, disassembly with cycles, and stacks for a flame graph."""

from __future__ import annotations

from collections.abc import Iterator

from mcusim.boards.board import Board
from mcusim.timing.profile import HOW, Profile, energy_uwh
from mcusim.timing.recording import Recording

_DEEPEST = 32


def to_text(profile: Profile, board: Board, *, rows: int = 20) -> str:
    """The figures of one sample, and where its cycles go."""
    cycles, core = profile.cycles, float(profile.core_cycles.mean())
    lines = [
        f"cycles     {profile.mean:,.0f} ({cycles.min():,.0f} to {cycles.max():,.0f}, {len(cycles)} samples, {HOW})",
        f"of these   {core:,.0f} core, {profile.mean - core:,.0f} memory",
        f"latency    {profile.latency_ms:.3f} ms at {profile.clock_hz / 1e6:g} MHz",
        f"energy     {energy_uwh(profile.mean, board, profile.clock_hz):.4f} uWh",
        *(f"note       {times:,} {what}" for what, times in profile.problems.items()),
        "",
        f"{'cycles':>14} {'share':>6} {'with calls':>14}  function",
    ]
    for name, own in list(profile.by_function.items())[:rows]:
        lines.append(f"{own:>14,.0f} {own / profile.mean:>6.1%} {profile.inclusive[name]:>14,.0f}  {name}")
    if profile.by_line:
        lines += ["", f"{'cycles':>14} {'share':>6}  line"]
        for (file, line), own in list(profile.by_line.items())[:rows]:
            lines.append(f"{own:>14,.0f} {own / profile.mean:>6.1%}  {file}:{line}")
    return "\n".join(lines) + "\n"


def to_disassembly(profile: Profile, recording: Recording) -> str:
    """Every executed instruction: how often it ran, its cycles in one sample and each time."""
    blocks = map(recording.code.instructions, recording.counts.blocks)
    instructions = {insn.address: insn for block in blocks for insn in block}
    lines, function, line = [], "", None
    for address in sorted(instructions):
        if recording.function_at(address) != function:
            function = recording.function_at(address)
            lines += ["", f"{function}:"]
        if recording.line_at(address) != line:
            line = recording.line_at(address)
            lines.append(f"; {line[0]}:{line[1]}" if line else ";")
        cycles, times = profile.by_address.get(address, 0.0), profile.executed.get(address, 0.0)
        each = cycles / times if times else 0.0
        lines.append(f"{cycles:>14,.0f} {times:>12,.0f} {each:>7.2f}  {address:08x}  {instructions[address].text}")
    return f"{'cycles':>14} {'executed':>12} {'each':>7}\n" + "\n".join(lines).lstrip("\n") + "\n"


def to_collapsed_stacks(profile: Profile) -> str:
    """One line a stack, ``caller;callee cycles``: what flamegraph.pl and speedscope read."""
    callees = {callee for _, callee in profile.calls}
    roots = [name for name in profile.by_function if name not in callees] or list(profile.by_function)[:1]
    stacks = (found for root in roots for found in _stacks(profile, (root,), 1.0))
    return "\n".join(f"{stack} {cycles:.0f}" for stack, cycles in stacks if cycles >= 0.5) + "\n"


def _stacks(profile: Profile, path: tuple[str, ...], share: float) -> Iterator[tuple[str, float]]:
    name = path[-1]
    yield ";".join(path), profile.by_function.get(name, 0.0) * share
    if len(path) == _DEEPEST:
        return
    for (caller, callee), times in profile.calls.items():
        if caller == name and callee not in path:
            called = sum(n for (_, other), n in profile.calls.items() if other == callee)
            yield from _stacks(profile, (*path, callee), share * times / called)
