"""A WAV file's bytes -> its samples: one channel of 16 bits, as data sets of speech have them."""

import io
import wave

import numpy as np

from mcusim.system.arrays import Array


def samples_of(data: bytes, name: str, rate: int) -> Array:
    """(n,) int16. ValueError names the file that is none, or another kind."""
    try:
        with wave.open(io.BytesIO(data)) as file:
            found = (file.getnchannels(), 8 * file.getsampwidth(), file.getframerate())
            frames = file.readframes(min(file.getnframes(), len(data)))
    except (wave.Error, EOFError, RuntimeError) as error:
        raise ValueError(f"{name!r} is no WAV file ({error})") from None
    if found != (1, 16, rate):
        what = f"{name!r} has {found[0]} channels of {found[1]} bits and {found[2]:,} samples a second"
        raise ValueError(f"{what}, not 1 of 16 bits and {rate:,}")
    return np.frombuffer(frames[: len(frames) // 2 * 2], "<i2")
