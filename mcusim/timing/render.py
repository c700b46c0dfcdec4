"""Profile -> text: a table of functions and lines, disassembly with cycles, and stacks for a flame graph."""

import json
from collections.abc import Iterator

from mcusim.boards.board import Board
from mcusim.timing.call_cycles import CallCost
from mcusim.timing.profile import Profile, energy_uwh
from mcusim.timing.record import error_of, told_kinds
from mcusim.timing.recording import Recording
from mcusim.timing.stacks import stacks
from mcusim.timing.timing import HOW, plus_minus, told_error

LAYER = "layer_"  # how functions of layers begin
_CALLERS_SHOWN = 4  # of a stack, innermost first
_SPEEDSCOPE_SCHEMA = "https://www.speedscope.app/file-format-schema.json"


def to_text(profile: Profile, board: Board, *, rows: int = 20) -> str:
    """The figures of one sample, and where its cycles go. `board`: with the chip that it was priced for."""
    cycles, core = profile.cycles, float(profile.core_cycles.mean())
    error = error_of(profile.work.kinds(), board.chip)
    known = "" if isinstance(error, str) else f" {plus_minus(error)}"
    lines = [
        f"cycles     {profile.mean:,.0f} ({cycles.min():,.0f} to {cycles.max():,.0f}, {len(cycles)} samples, {HOW})",
        f"of these   {core:,.0f} core, {profile.mean - core:,.0f} memory",
        f"latency    {profile.latency_ms:.3f} ms{known} at {profile.clock_hz / 1e6:g} MHz",
        f"energy     {energy_uwh(profile.mean, board, profile.clock_hz):.4f} uWh{known}",
        f"code       {told_kinds(profile.work.kinds())}",
        f"error      {f'not known: {error}' if isinstance(error, str) else told_error(error)}",
        *(f"note       {times:,} {what}" for what, times in profile.problems.items()),
        *_meanwhile(profile),
        *_layers(profile),
        "",
        f"{'cycles':>14} {'share':>6} {'with calls':>14}  function",
    ]
    for name, own in list(profile.by_function.items())[:rows]:
        lines.append(f"{own:>14,.0f} {_share(own, profile):>6.1%} {profile.inclusive[name]:>14,.0f}  {name}")
    lines += _callers(profile, rows)
    if profile.by_line:
        lines += ["", f"{'cycles':>14} {'share':>6}  line"]
        for (file, line), own in list(profile.by_line.items())[:rows]:
            lines.append(f"{own:>14,.0f} {_share(own, profile):>6.1%}  {file}:{line}")
    return "\n".join(lines) + "\n"


def _share(cycles: float, profile: Profile) -> float:
    return cycles / profile.mean if profile.mean else 0.0


def _meanwhile(profile: Profile) -> Iterator[str]:
    """What ran between the first and the last instruction of the measured call, and is not part of it."""
    for name, cycles in sorted(profile.costs.outside_cycles.items(), key=lambda item: -item[1]):
        yield f"besides    {cycles:,.0f} core in {name}"


def _layers(profile: Profile) -> Iterator[str]:
    """Of a model of ours: its layers, with all that they call; each is a function."""
    layers = {name: cycles for name, cycles in profile.inclusive.items() if name.startswith(LAYER)}
    if layers:
        yield from ("", f"{'cycles':>14} {'share':>6}  layer")
    for name, cycles in sorted(layers.items(), key=lambda item: -item[1]):
        yield f"{cycles:>14,.0f} {_share(cycles, profile):>6.1%}  {name.removeprefix(LAYER)}"


def _callers(profile: Profile, rows: int) -> list[str]:
    """Functions that are called from several places: what each of these calls costs."""
    ways: dict[str, list[CallCost]] = {}
    for call in profile.costs.calls:
        ways.setdefault(call.stack[-1], []).append(call)
    several = [found for found in ways.values() if len(found) > 1]
    several.sort(key=lambda found: -sum(call.with_calls for call in found))
    if not several:
        return []
    lines = ["", f"{'with calls':>14} {'calls':>10} {'each':>12}  function, called by"]
    for found in several[:rows]:
        for call in sorted(found, key=lambda call: -call.with_calls)[:rows]:
            each = call.with_calls / call.called if call.called else 0.0
            by = " < ".join(call.stack[::-1][:_CALLERS_SHOWN])
            lines.append(f"{call.with_calls:>14,.0f} {call.called:>10,.6g} {each:>12,.1f}  {by}")
    return lines


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
    found = ((";".join(name.replace(";", ":") for name in one.functions), one.cycles) for one in stacks(profile))
    return "\n".join(f"{stack} {cycles:.0f}" for stack, cycles in found if cycles >= 0.5) + "\n"


def to_speedscope(profile: Profile, recording: Recording, title: str) -> str:
    """A file for speedscope.app: one sampled profile, whose weights are cycles of the mean sample."""
    found = [(one.functions, round(one.cycles, 3)) for one in stacks(profile) if one.cycles > 0]
    names = sorted({name for stack, _ in found for name in stack})
    numbers = {name: number for number, name in enumerate(names)}
    places = {function.name: recording.line_at(function.start) for function in recording.functions}
    document = {
        "$schema": _SPEEDSCOPE_SCHEMA,
        "name": title,
        "exporter": "mcusim",
        "activeProfileIndex": 0,
        "shared": {"frames": [_frame(name, places.get(name)) for name in names]},
        "profiles": [
            {
                "type": "sampled",
                "name": f"{title}: cycles",
                "unit": "none",
                "startValue": 0,
                "endValue": round(sum(cycles for _, cycles in found), 3),
                "samples": [[numbers[name] for name in stack] for stack, _ in found],
                "weights": [cycles for _, cycles in found],
            }
        ],
    }
    return json.dumps(document, ensure_ascii=False, indent=1) + "\n"


def _frame(name: str, place: tuple[str, int] | None) -> dict[str, str | int]:
    return {"name": name} if place is None else {"name": name, "file": place[0], "line": place[1]}
