"""Coefficients of sounds whose spectrum is known, and files of sound."""

from __future__ import annotations

import io
import math
import wave

import numpy as np
import pytest

from mcusim.datasets import speech_commands, spoken_digits
from mcusim.datasets.wav import samples_of

NUMBERS = np.random.RandomState(7)


def wav(samples: object, rate: int = 8000, channels: int = 1, width: int = 2) -> bytes:
    content = io.BytesIO()
    with wave.open(content, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(np.asarray(samples, "<i2").tobytes())
    return content.getvalue()


def test_silence_of_spoken_digits() -> None:
    """As the file of another hand has it: 26 bands, ln 1e-10, an orthonormal transform."""
    quiet = spoken_digits.RECIPE(np.zeros(10))
    assert quiet.shape == (39, 13) and quiet.dtype == np.float32
    np.testing.assert_allclose(quiet[:, 0], -117.40926, atol=1e-4)
    np.testing.assert_allclose(quiet[:, 1:], 0, atol=1e-5)


def test_as_loud_as_the_logarithm_says() -> None:
    sound = NUMBERS.uniform(-1, 1, 8000)
    louder = spoken_digits.RECIPE(10 * sound)[:, 0] - spoken_digits.RECIPE(sound)[:, 0]
    np.testing.assert_allclose(louder, math.sqrt(26) * math.log(100), rtol=1e-4)


def test_the_numbers_of_spoken_digits() -> None:
    """Written down from a program of its own, which gives all 3,000 recordings the coefficients of the networks that
    are shipped. Another window, other edges or sides of the triangles change them by 0.17 and more."""
    sound = np.round(np.random.RandomState(7).uniform(-9000, 9000, 6000))
    sound[3000:] = np.round(8000 * np.sin(0.0001 * np.arange(3000) ** 2))
    found = spoken_digits.RECIPE(samples_of(wav(sound), "a.wav", 8000) / 2**15)
    np.testing.assert_allclose(found[[0, 17, 29, 38]][:, [0, 1, 12]], OF_DIGITS, atol=1e-4)


OF_DIGITS = [
    *([-18.74013, -12.44145, 0.24471], [-71.69696, 13.83728, -2.02935]),
    *([-35.86281, -6.75243, 0.19681], [-117.40926, 0.0, 0.0]),
]


def test_a_tone_is_in_the_band_of_its_pitch() -> None:
    recipe = speech_commands.RECIPE
    sums = (
        np.abs(np.fft.rfft(np.sin(2 * np.pi * 1000 / 16000 * np.arange(480)) * recipe._window, 512)) @ recipe._triangles
    )
    mel = 1127 * math.log1p(1000 / 700)
    edges = np.linspace(1127 * math.log1p(20 / 700), 1127 * math.log1p(4000 / 700), 42)
    assert abs(edges[1:-1][sums.argmax()] - mel) < edges[1] - edges[0]


def test_the_numbers_of_speech_commands() -> None:
    """Written down from tf.signal (stft, linear_to_mel_weight_matrix, mfccs_from_log_mel_spectrograms)."""
    sound = np.random.RandomState(7).uniform(-1, 1, 15000)
    found = speech_commands.RECIPE(sound)
    np.testing.assert_allclose(found[[0, 20, 48]][:, [0, 1, 9]], EXPECTED, atol=2e-3)


EXPECTED = [[24.971466, -3.501423, -0.24774], [25.082659, -3.685868, 0.468894], [-123.569679, 0.0, 0.0]]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "no WAV"),
        (b"RIFF" + bytes(40), "no WAV"),
        (wav([1, 2], rate=16000), "16,000 samples a second, not 1 of 16 bits and 8,000"),
        (wav([1, 2], channels=2), "2 channels"),
        (wav([1, 2], width=1), "8 bits"),
        (wav([1, 2]).replace(b"fmt \x10", b"fmt \xff"), "no WAV"),
        (wav([1, 2])[:30], r"no WAV file \(it is cut off\)"),
        (wav([1, 2, 3])[:-1], "is cut off: 2 of 3 samples are there"),
        (wav([1, 2])[:44], "is cut off: 0 of 2 samples"),
        (wav([]), "no samples"),
    ],
)
def test_files_that_are_no_such_sound(data: bytes, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        samples_of(data, "a.wav", 8000)


def test_files_of_sound() -> None:
    assert samples_of(wav([1, -2, 3]), "a.wav", 8000).tolist() == [1, -2, 3]


@pytest.mark.parametrize("promised", [2**31 - 1, 2**32 - 1, 2**32 - 37])
def test_what_was_written_into_a_pipe_has_no_length(promised: int) -> None:
    """ffmpeg and sox begin with a header of more than there will ever be."""
    data = wav([1, -2, 3])
    streamed = data[:40] + promised.to_bytes(4, "little") + data[44:]
    assert samples_of(streamed, "a.wav", 8000).tolist() == [1, -2, 3]
