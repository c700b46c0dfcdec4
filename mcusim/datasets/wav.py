"""A WAV file's bytes -> its samples: one channel of 16 bits, as data sets of speech have them."""

import io
import wave

import numpy as np

from mcusim.system.arrays import Array

OF_STREAMS = 2**29  # who wrote before knowing how long it gets promised so many at least: whatever there is counts


def samples_of(data: bytes, name: str, rate: int) -> Array:
    """(n,) int16. ValueError names the file that is none, cut off, or another kind."""
    try:
        with wave.open(io.BytesIO(data)) as file:
            found = (file.getnchannels(), 8 * file.getsampwidth(), file.getframerate())
            promised = file.getnframes()
            frames = file.readframes(min(promised, len(data)))
    except (wave.Error, EOFError, RuntimeError) as error:
        raise ValueError(f"{name!r} is no WAV file ({str(error) or 'it is cut off'})") from None
    if found != (1, 16, rate):
        what = f"{name!r} has {found[0]} channels of {found[1]} bits and {found[2]:,} samples a second"
        raise ValueError(f"{what}, not 1 of 16 bits and {rate:,}")
    if promised < OF_STREAMS and len(frames) < 2 * promised:
        raise ValueError(f"{name!r} is cut off: {len(frames) // 2:,} of {promised:,} samples are there")
    if not frames:
        raise ValueError(f"{name!r} has no samples")
    return np.frombuffer(frames[: len(frames) // 2 * 2], "<i2")
