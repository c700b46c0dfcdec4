"""Rows -> what people read: lines of a terminal, and the tables of docs/kernels.md between their markers."""

from __future__ import annotations

import datetime
import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from mcusim.engines.qemu.installation import version
from mcusim.system.errors import ConfigurationError
from tools.kernel_runs import LayerRun, Row, Run

DOCS = Path(__file__).parents[1] / "docs" / "kernels.md"
HEAD = (
    f"{'network':<20} {'type':<10} {'board':<16} {'ms':>8} {'c/MAC':>6} {'speed-up':>8} {'ROM':>8} {'RAM':>8} "
    f"{'mismatches':>10} | {'plain ms':>9} {'ROM':>8} {'RAM':>8}"
)
LIBRARY_HEAD = f" | {'library ms':>10} {'c/MAC':>6} {'ROM':>8} {'RAM':>8} {'differs':>7}"


def shown(row: Row) -> str:
    """A line of the table in a terminal."""
    line = f"{row.network:<20} {row.data_type:<10} {row.board.name:<16}"
    if row.ours is None or row.plain is None:
        return f"{line} {row.problem}"
    ours, plain = row.ours, row.plain
    line += f" {ours.latency_ms:>8.2f} {ours.cycles_per_mac:>6.3f} {row.speed_up:>8.2f} {_sizes(ours)}"
    line += f" {row.mismatches:>10} | {plain.latency_ms:>9.2f} {_sizes(plain)}"
    if row.library:
        other = row.library
        line += f" | {other.latency_ms:>10.2f} {other.cycles_per_mac:>6.3f} {_sizes(other)} {row.difference:>7g}"
    return f"{line} | {row.problem}" if row.problem else line


def _sizes(run: Run) -> str:
    return f"{run.rom_bytes:>8,} {run.ram_bytes:>8,}"


def layers_shown(run: Run) -> Iterator[str]:
    """A line for each layer: its kernel, cycles, and those that the kernel's formula says."""
    for layer in run.layers:
        line = f"    {layer.name:<20} {layer.kernel:<26}"
        if layer.cycles is None:
            yield f"{line} the compiler made one function of it and another layer"
            continue
        line += f" {layer.cycles:>12,.0f} {_per_mac(layer):>7}"
        if layer.expected is not None:
            line += f" {layer.expected:>12,.0f} expected ({_deviation(layer)})"
        yield line


def _per_mac(layer: LayerRun) -> str:
    return f"{layer.cycles / layer.macs:.3f}" if layer.macs and layer.cycles else ""


def _deviation(layer: LayerRun) -> str:
    return f"{layer.expected / layer.cycles - 1:+.1%}" if layer.expected and layer.cycles else ""


def networks_table(rows: Sequence[Row], library: str) -> str:
    """Markdown. `library`: what it is called, "" for none."""
    head = [
        "network",
        "type",
        "ms",
        "c/MAC",
        "ROM",
        "RAM",
        "mismatches",
        "plain C: ms",
        "as long as ours",
        "ROM",
        "RAM",
    ]
    head += [f"{library}: ms", "c/MAC", "ROM", "RAM"] if library else []
    places = len({(row.board.name, row.board.clock_hz) for row in rows}) > 1
    head = ["network", *(["board"] if places else []), *head[1:]]
    lines = [head, ["---"] * (3 if places else 2) + ["--:"] * (len(head) - (3 if places else 2))]
    for row in rows:
        cells = [row.network, *([_place(row)] if places else []), row.data_type]
        if row.ours and row.plain:
            cells += [f"**{row.ours.latency_ms:.1f}**", f"{row.ours.cycles_per_mac:.3f}", *_bytes(row.ours)]
            cells += [str(row.mismatches), f"{row.plain.latency_ms:.1f}", f"{row.speed_up:.1f}", *_bytes(row.plain)]
        else:
            cells.append(row.problem)
        if row.library:
            cells += [f"{row.library.latency_ms:.1f}", f"{row.library.cycles_per_mac:.3f}", *_bytes(row.library)]
        lines.append([*cells, *[""] * (len(head) - len(cells))])
    return _joined(lines)


def _place(row: Row) -> str:
    return f"`{row.board.name}` at {row.board.clock_hz / 1e6:g} MHz"


def _bytes(run: Run) -> tuple[str, str]:
    return f"{run.rom_bytes:,}", f"{run.ram_bytes:,}"


def limits_table(lines: Sequence[tuple[str, str, str, Run | str]]) -> str:
    """Markdown: network, type, [target], and what it took, or why nothing could."""
    cells = [["network", "type", "`[target]`", "ms", "ROM", "RAM", "kernels"], ["---"] * 3 + ["--:"] * 3 + ["---"]]
    for title, data_type, words, made in lines:
        start = [title, data_type, words and f"`{words}`".replace("'", '"')]
        if isinstance(made, str):
            cells.append([*start, "", "", "", made])
            continue
        kernels = ", ".join(f"`{name}`" for name in dict.fromkeys(layer.kernel.split()[0] for layer in made.layers))
        cells.append([*start, f"**{made.latency_ms:.1f}**", *_bytes(made), kernels])
    return _joined(cells)


def layers_table(run: Run) -> str:
    """Markdown: each layer of a network."""
    lines = [["layer", "kernel", "cycles", "c/MAC", "its formula", ""], ["---", "---", "--:", "--:", "--:", "--:"]]
    for layer in run.layers:
        cycles = "with another" if layer.cycles is None else f"{layer.cycles:,.0f}"
        expected = "" if layer.expected is None else f"{layer.expected:,.0f}"
        lines.append([layer.name, layer.kernel, cycles, _per_mac(layer), expected, _deviation(layer)])
    return _joined(lines)


def _joined(lines: Sequence[Sequence[str]]) -> str:
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def conditions(rows: Sequence[Row], library: str) -> str:
    """Where the figures are from."""
    runs = [run for row in rows for run in (row.ours, row.plain) if run]
    boards = sorted({_place(row) for row in rows})
    compilers = " and ".join(sorted({run.compiler for run in runs}))
    today = datetime.datetime.now(datetime.timezone.utc).strftime("%d %B %Y").lstrip("0")
    others = f" {library} was built by the same compiler with -O3." if library else ""
    told = (
        f"All times are **modelled** for {' and '.join(boards)}, from runs in QEMU {version()} on {today}; nothing ran "
        f"on silicon. Compiler: {compilers}.{others}"
    )
    return textwrap.fill(told, 120, break_long_words=False, break_on_hyphens=False)


def write_tables(parts: Mapping[str, str], path: Path = DOCS) -> None:
    """Each text between its markers in the file. Raises ConfigurationError for one that is not there."""
    text = path.read_text(encoding="utf-8")
    for name, table in parts.items():
        pattern = rf"(<!-- from tools/kernel_bench\.py: {re.escape(name)} -->\n\n).*?(\n*<!-- end -->)"
        text, count = re.subn(pattern, lambda found: f"{found[1]}{table}\n\n<!-- end -->", text, flags=re.DOTALL)  # noqa: B023
        if count != 1:
            hint = f"<!-- from tools/kernel_bench.py: {name} --> and <!-- end -->, once each"
            raise ConfigurationError(f"{path.name} has no markers for {name!r}", where=str(path), hint=hint)
    path.write_text(text, encoding="utf-8", newline="\n")
