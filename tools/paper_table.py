"""Our plain C at the paper's seven sizes, three data types, two boards -> modelled times beside the measured ones.

    python -m tools.paper_table [paper_tables.csv] [--filters 16]

A plausibility check and no target: the paper's compiler is another, and so are its kernels. Weights are random, which
changes neither code nor, but for saturated outputs, its path.
"""

from __future__ import annotations

import argparse
import csv
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from mcusim.boards.load import load_board
from mcusim.cores.cortex_m4f import TIMING
from mcusim.engines.engine import Job, records
from mcusim.engines.qemu import engine as qemu
from mcusim.experiment.quantization import Quantization
from mcusim.graph import Graph
from mcusim.line.front import Generated, generate, read_model
from mcusim.models.source import Source
from mcusim.system.errors import McusimError
from mcusim.timing.time_counts import time_counts
from mcusim.workloads.generated import make_firmware

FILTERS = (16, 24, 32, 40, 48, 64, 80)
BOARDS = {"nucleo_l452re_p": "NucleoL452REP", "sparkfun_edge": "SparkFunEdge"}
SAMPLES = 2
Key = tuple[str, str, int]  # the paper's name of the board, data type, filters


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Modelled times beside those of the MicroAI paper.")
    parser.add_argument("paper", type=Path, nargs="?", help="metric,framework,board,data_type,filters,value")
    parser.add_argument("--filters", type=int, action="append", help="only this size (again for more)")
    options = parser.parse_args(arguments)
    try:
        measured = _read(options.paper) if options.paper else {}
        print(f"{'board':<16} {'type':<8} {'filters':>7} {'modelled ms':>12}", end=" ")
        print(f"{'paper ms':>9} {'ratio':>6} {'cyc/MAC':>8}")
        for board, data_type, filters, latency_ms, cycles_per_mac in rows(options.filters or FILTERS):
            paper = measured.get((BOARDS[board], data_type, filters))
            beside = f"{paper:>9.1f} {latency_ms / paper:>6.2f}" if paper else " " * 16
            row = f"{board:<16} {data_type:<8} {filters:>7} {latency_ms:>12.1f} {beside} {cycles_per_mac:>8.2f}"
            print(row, flush=True)
    except (McusimError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return getattr(error, "exit_code", 2)
    return 0


def rows(sizes: Sequence[int]) -> Iterator[tuple[str, str, int, float, float]]:
    """Board, data type, filters, latency in ms, cycles for a multiply-accumulate."""
    for filters in sizes:
        source = Source(_network(filters))
        x = np.random.default_rng(filters).normal(size=(16, *source.graph.inputs[0].shape)).astype(np.float32)
        for chosen in (
            Quantization(data_type="float32"),
            Quantization(data_type="int16", scheme="per-network", format="Q7.9"),
            Quantization(data_type="int8", scheme="per-layer"),
        ):
            generated = generate(source, x, chosen)
            for board in BOARDS:
                yield board, chosen.data_type, filters, *_time(generated, board, x)


def _network(filters: int) -> Graph:
    """ResNetv1-6 for UCI-HAR, untrained."""
    from mcusim.training.architectures import build_model

    with tempfile.TemporaryDirectory(prefix="mcusim-paper-") as name:
        path = Path(name) / "model.keras"
        build_model("resnetv1", {"filters": filters}, (128, 9), 6, seed=filters).save(path)
        return read_model(path).graph


def _time(generated: Generated, board_name: str, x: np.ndarray) -> tuple[float, float]:
    board = load_board(board_name)
    with tempfile.TemporaryDirectory(prefix="mcusim-paper-") as name, qemu.open(1) as ready:
        folder = Path(name)
        firmware = make_firmware(generated.library, qemu.FACTS, board, folder)
        samples = records(generated.graph.encode(x[:SAMPLES]))
        counts = ready.run(Job(firmware.image, samples, folder, board, profile=True)).counts
        assert counts is not None and TIMING is not None
        timing = time_counts(counts, firmware.elf, board, folder, TIMING)
    return timing.latency_ms, timing.cycles.mean / generated.graph.macs


def _read(path: Path) -> dict[Key, float]:
    with path.open(newline="", encoding="utf-8") as file:
        wanted = (row for row in csv.DictReader(file) if (row["metric"], row["framework"]) == ("latency_ms", "MicroAI"))
        return {(row["board"], row["data_type"], int(row["filters"])): float(row["value"]) for row in wanted}


if __name__ == "__main__":
    sys.exit(main())
