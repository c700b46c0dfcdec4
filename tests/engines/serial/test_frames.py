"""Frames: what is packed is read again, and what is damaged is not."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from mcusim.engines.serial.frames import RUN, Frame, frame_bytes, read_frame, read_info, stuffed, unstuffed

_LENGTHS = st.one_of(st.integers(0, 800), st.sampled_from([253, 254, 255, 507, 508, 509]))  # blocks end about there
_LONG = st.builds(lambda byte, count: bytes([byte]) * count, st.integers(0, 255), _LENGTHS)
DATA = st.one_of(st.binary(max_size=600), _LONG, st.lists(_LONG, max_size=3).map(b"".join))


@given(DATA)
def test_stuffed_bytes_have_no_zero_and_are_whole_again(data: bytes) -> None:
    assert 0 not in stuffed(data) and unstuffed(stuffed(data)) == data
    assert len(stuffed(data)) <= len(data) + 1 + len(data) // 254


def test_a_zero_behind_blocks_that_are_full() -> None:
    """It stands in no block before it."""
    for count in (253, 254, 255, 508, 762):
        for rest in (b"", b"\0", b"\0\0", b"\0b"):
            data = b"a" * count + rest
            assert unstuffed(stuffed(data)) == data, (count, rest)


@given(st.integers(0, 255), st.integers(0, 2**32 - 1), DATA)
def test_a_frame_is_read_again(kind: int, sequence: int, payload: bytes) -> None:
    sent = frame_bytes(kind, sequence, payload)
    assert sent[0] == sent[-1] == 0 and 0 not in sent[1:-1]
    assert read_frame(sent[1:-1]) == Frame(kind, sequence, payload)


@given(DATA, st.data())
def test_a_damaged_frame_is_none(payload: bytes, data: st.DataObject) -> None:
    sent = bytearray(frame_bytes(RUN, 7, payload)[1:-1])
    at = data.draw(st.integers(0, len(sent) - 1))
    if data.draw(st.booleans()):
        sent[at] ^= 1 << data.draw(st.integers(0, 7))
    else:
        del sent[at]
    found = read_frame(bytes(sent))
    assert found is None or found == Frame(RUN, 7, payload)


def test_rubbish() -> None:
    assert read_frame(b"") is None and read_frame(b"\1") is None and read_frame(b"\xff" * 300) is None
    assert read_info(b"\0" * 31) is None and read_info(b"\0" * 32 + b"name") is not None
