"""Recordings -> mel-frequency cepstral coefficients, what speech networks are given in place of sound.

Windows of sound, their spectra, the sums of these below triangles that are equally wide in mel (1127 ln(1 + Hz / 700)),
their logarithms, and the first coefficients of the cosine transform of these, of which the first is how loud it is.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from mcusim.system.arrays import Array, Floats


@dataclass(frozen=True)
class Mfcc:
    """Lengths in samples, `rate` and edges in Hz.

    `emphasis` e takes e times the sample before from each sample. `power` 2 sums squares of the spectrum divided by
    the length of the transform, 1 the spectrum itself. `floor` is the least sum: added to each, or else the smaller
    ones are raised to it. The cosine transform is `orthonormal`, or its first coefficient is sqrt(2) times that. The
    window is `hamming`'s, or Hann's; triangles begin and end at their edges, or at the frequency of the transform
    `below` each.
    """

    rate: int
    length: int
    window: int
    step: int
    transform: int
    bands: int
    lowest_hz: float
    highest_hz: float
    coefficients: int
    emphasis: float
    power: int
    floor: float
    added: bool
    orthonormal: bool
    hamming: bool = False
    below: bool = False

    @property
    def shape(self) -> tuple[int, int]:
        """(windows, coefficients)"""
        return 1 + (self.length - self.window) // self.step, self.coefficients

    def __call__(self, sound: Array) -> Floats:
        """Samples (n,) of one recording, cut or followed by silence to `length` -> `shape`, float32."""
        whole = np.zeros(self.length)
        whole[: min(len(sound), self.length)] = sound[: self.length]
        whole[1:] -= self.emphasis * whole[:-1]
        starts = self.step * np.arange(self.shape[0])
        windows = whole[starts[:, np.newaxis] + np.arange(self.window)] * self._window
        spectrum = np.abs(np.fft.rfft(windows, self.transform))
        spectrum = spectrum**2 / self.transform if self.power == 2 else spectrum
        sums = spectrum @ self._triangles
        logarithms = np.log(sums + self.floor if self.added else np.maximum(sums, self.floor))
        return np.asarray(logarithms @ self._cosines, dtype=np.float32)

    @cached_property
    def _window(self) -> Array:
        """Hamming's, whose last number is its first; Hann's, of which one period is as long as the window."""
        if self.hamming:
            return np.hamming(self.window)
        return 0.5 - 0.5 * np.cos(2 * np.pi * np.arange(self.window) / self.window)

    @cached_property
    def _triangles(self) -> Array:
        """(frequencies, bands), without the constant part of a sound. Sides are straight in mel; `below`, in Hz."""
        places = np.arange(self.transform // 2 + 1.0)
        edges = np.linspace(_mel(self.lowest_hz), _mel(self.highest_hz), self.bands + 2)
        if self.below:
            edges = np.floor((self.transform + 1) * 700 * np.expm1(edges / 1127.0) / self.rate)
        else:
            places = _mel(places * self.rate / self.transform)
        places = places[:, np.newaxis]
        rising = (places - edges[:-2]) / (edges[1:-1] - edges[:-2])
        falling = (edges[2:] - places) / (edges[2:] - edges[1:-1])
        triangles = np.maximum(0, np.minimum(rising, falling))
        triangles[0] = 0
        return np.asarray(triangles)

    @cached_property
    def _cosines(self) -> Array:
        """(bands, coefficients)"""
        angles = np.pi / self.bands * (np.arange(self.bands)[:, np.newaxis] + 0.5) * np.arange(self.coefficients)
        scale = np.full(self.coefficients, np.sqrt(2.0 / self.bands))
        scale[0] /= np.sqrt(2.0) if self.orthonormal else 1.0
        return np.asarray(np.cos(angles) * scale)


def _mel(hz: float | Array) -> Array:
    return np.asarray(1127.0 * np.log1p(np.asarray(hz) / 700.0))
