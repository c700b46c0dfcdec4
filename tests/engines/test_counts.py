"""Files of a profiling plugin, as this test writes them, and what is read from several processes together."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from mcusim.engines import counts as kinds
from mcusim.engines.counts import ACCESS, FETCH_MISS_JUMP, FETCH_MISS_NEXT, REGION, Block, Counts, Edge, read_counts
from mcusim.system.errors import EngineError

OUTSIDE = Block(0xFFFFFFFF, 0xFFFFFFFF, 0)
ENTRY, LOOP, LEAVE = Block(0x100, 0x108, 3), Block(0x104, 0x108, 1), Block(0x108, 0x110, 4)
Sample = tuple[Sequence[tuple[int, int, int]], Sequence[tuple[int, int, int, int]]]  # edges, events


def write(folder: Path, blocks: Sequence[Block], samples: Sequence[Sample]) -> Path:
    """As replay.h tells it; edges and events name blocks by their places in `blocks`."""
    folder.mkdir(exist_ok=True)
    numbers = [
        number
        for edges, events in samples
        for number in (len(edges), len(events), *chain.from_iterable(edges), *chain.from_iterable(events))
    ]
    np.array(numbers, np.uint64).tofile(folder / "samples.bin")
    records = [(block.start, block.end, block.end - 2, block.instructions) for block in blocks]
    np.array(records, np.uint32).tofile(folder / "blocks.bin")
    return folder


def edges_of(counts: Counts, sample: int) -> dict[tuple[Block, Block], int]:
    """What ran in a sample, without the numbers of blocks."""
    pairs = [(counts.blocks[edge.source], counts.blocks[edge.to]) for edge in counts.edges]
    return {pair: int(n) for pair, n in zip(pairs, counts.edge_counts[sample], strict=True) if n}


def test_one_sample(tmp_path: Path) -> None:
    sample: Sample = (((0, 1, 1), (1, 2, 9), (2, 0, 1)), ((ACCESS, 0, 0x104, 18), (REGION, 2, 0x106, 5)))
    counts = read_counts([write(tmp_path, (OUTSIDE, ENTRY, LOOP), [sample])])
    assert counts.blocks == (ENTRY, LOOP, OUTSIDE) and counts.samples == 1
    assert counts.edges == (Edge(0, 1), Edge(1, 2), Edge(2, 0))
    assert counts.edge_counts.tolist() == [[9, 1, 1]] and counts.edge_counts.dtype == np.uint64
    events = [(event.kind, event.block, event.address) for event in counts.events]
    assert events == [(ACCESS, 0, 0x104), (REGION, 2, 0x106)]  # the 2 is the number of a region and no block
    assert counts.event_counts.tolist() == [[18, 5]]


def test_every_edge_is_one_execution_of_the_block_it_leads_to(tmp_path: Path) -> None:
    samples: list[Sample] = [(((0, 1, 1), (1, 2, 9), (2, 2, 4), (2, 0, 1)), ()), (((0, 1, 2),), ())]
    counts = read_counts([write(tmp_path, (OUTSIDE, ENTRY, LOOP), samples)])
    assert counts.instructions().tolist() == [1 * 3 + (9 + 4) * 1 + 1 * 0, 2 * 3]


def test_blocks_have_other_numbers_in_every_process(tmp_path: Path) -> None:
    """Two processes that met the same blocks in another order, and each one that the other never saw."""
    one = write(tmp_path / "0", (OUTSIDE, ENTRY, LOOP), [(((0, 1, 1), (1, 2, 7)), ((FETCH_MISS_JUMP, 2, 0x104, 3),))])
    other: list[Sample] = [
        (((0, 3, 1), (3, 2, 8)), ((FETCH_MISS_JUMP, 2, 0x104, 4), (FETCH_MISS_NEXT, 1, 1, 6))),
        (((3, 1, 5),), ()),
    ]
    two = write(tmp_path / "1", (OUTSIDE, LEAVE, LOOP, ENTRY), other)
    counts = read_counts([one, two])
    assert counts.blocks == (ENTRY, LOOP, LEAVE, OUTSIDE) and counts.samples == 3
    assert edges_of(counts, 0) == {(OUTSIDE, ENTRY): 1, (ENTRY, LOOP): 7}
    assert edges_of(counts, 1) == {(OUTSIDE, ENTRY): 1, (ENTRY, LOOP): 8}
    assert edges_of(counts, 2) == {(ENTRY, LEAVE): 5}
    found = {(event.kind, counts.blocks[event.block], event.address) for event in counts.events}
    assert found == {(FETCH_MISS_JUMP, LOOP, 0x104), (FETCH_MISS_NEXT, LEAVE, 1)}
    assert sorted(counts.event_counts.tolist()) == [[0, 0], [0, 3], [6, 4]]  # NEXT, JUMP


def test_samples_come_in_the_order_of_the_folders(tmp_path: Path) -> None:
    folders = [write(tmp_path / str(n), (OUTSIDE, ENTRY), [(((0, 1, n),), ())]) for n in (5, 3, 4)]
    assert [edges_of(read_counts(folders), sample) for sample in range(3)] == [{(OUTSIDE, ENTRY): n} for n in (5, 3, 4)]


def test_counts_of_cutting_samples_otherwise_are_the_same(tmp_path: Path) -> None:
    samples: list[Sample] = [(((0, 1, n + 1), (1, 2, n)), ((ACCESS, 0, 0x100 + 2 * n, n),)) for n in range(4)]
    blocks = (OUTSIDE, ENTRY, LOOP)
    whole = read_counts([write(tmp_path / "all", blocks, samples)])
    parts = read_counts([write(tmp_path / "a", blocks, samples[:1]), write(tmp_path / "b", blocks, samples[1:])])
    assert (whole.blocks, whole.edges, whole.events) == (parts.blocks, parts.edges, parts.events)
    assert np.array_equal(whole.edge_counts, parts.edge_counts)
    assert np.array_equal(whole.event_counts, parts.event_counts)


def test_counts_of_64_bits(tmp_path: Path) -> None:
    counts = read_counts([write(tmp_path, (OUTSIDE, ENTRY), [(((0, 1, 2**40),), ())])])
    assert counts.instructions().tolist() == [3 * 2**40]


def test_a_firmware_that_never_came_to_its_marker_has_no_samples(tmp_path: Path) -> None:
    counts = read_counts([write(tmp_path, (OUTSIDE,), [])])
    assert (counts.samples, counts.blocks, counts.edges, counts.events) == (0, (), (), ())
    assert counts.instructions().tolist() == []


def test_a_sample_in_which_nothing_ran(tmp_path: Path) -> None:
    counts = read_counts([write(tmp_path, (OUTSIDE, ENTRY), [((), ()), (((0, 1, 1),), ())])])
    assert counts.instructions().tolist() == [0, 3]


def test_a_file_that_was_cut_anywhere(tmp_path: Path) -> None:
    """Between two samples there are fewer of them, which is the profiler's to see; inside one it is an error."""
    sample: Sample = (((0, 1, 1), (1, 0, 1)), ((ACCESS, 0, 0x100, 4),))
    whole = (write(tmp_path, (OUTSIDE, ENTRY), [sample, sample]) / "samples.bin").read_bytes()
    for length in range(len(whole)):
        (tmp_path / "samples.bin").write_bytes(whole[:length])
        if length in (0, len(whole) // 2):
            assert read_counts([tmp_path]).samples == (1 if length else 0)
            continue
        with pytest.raises(EngineError, match="the profile is not readable") as caught:
            read_counts([tmp_path])
        assert caught.value.where == str(tmp_path)


@pytest.mark.parametrize("cut", [1, 4, 15])
def test_blocks_that_were_cut(cut: int, tmp_path: Path) -> None:
    blocks = write(tmp_path, (OUTSIDE, ENTRY), [(((0, 1, 1),), ())]) / "blocks.bin"
    blocks.write_bytes(blocks.read_bytes()[:-cut])
    with pytest.raises(EngineError, match="the profile is not readable"):
        read_counts([tmp_path])


@pytest.mark.parametrize(
    "block", [Block(0x108, 0x100, 3), Block(0x100, 0x104, 3), Block(0x100, 0x100 + 2**17, 9), Block(2**32 - 1, 4, 0)]
)
def test_a_block_that_no_processor_runs(block: Block, tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="there is no block of"):
        read_counts([write(tmp_path, (OUTSIDE, ENTRY, block), [(((0, 1, 1), (1, 2, 1)), ())])])


def test_an_edge_to_a_block_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(EngineError, match="the profile is not readable"):
        read_counts([write(tmp_path, (OUTSIDE, ENTRY), [(((0, 2, 1),), ())])])


@pytest.mark.parametrize("missing", ["samples.bin", "blocks.bin"])
def test_a_file_that_is_missing(missing: str, tmp_path: Path) -> None:
    (write(tmp_path, (OUTSIDE, ENTRY), [(((0, 1, 1),), ())]) / missing).unlink()
    with pytest.raises(EngineError, match="the profile is not readable"):
        read_counts([tmp_path])


def test_kinds_of_events_are_numbered_as_the_plugin_does() -> None:
    header = (Path(kinds.__file__).parent / "qemu" / "qemu_plugin" / "replay.h").read_text(encoding="utf-8")
    listed = re.search(r"enum \{ (EVENT_\w+(?:, EVENT_\w+)*) \}", header)
    assert listed is not None
    names = [name.removeprefix("EVENT_") for name in listed[1].split(", ")]
    assert [getattr(kinds, name) for name in names] == list(range(9))
