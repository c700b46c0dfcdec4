"""A batch as it lies in the training set -> a batch that is other each time: what a network must not hang on.

Every function takes and gives samples (N, ...) of float32; all that is drawn comes from `random`.
"""

import numpy as np

from mcusim.system.arrays import Array
from mcusim.system.errors import ConfigurationError
from mcusim.training.settings import TrainingSettings


def demand_fit(settings: TrainingSettings, shape: tuple[int, ...], repeats: bool = False) -> None:
    """ConfigurationError for what samples of `shape` cannot be put through, or not where the network `repeats` them."""
    for name, moves in (("flip", settings.flip), ("shift", settings.shift)):
        if moves and repeats:
            _refuse(name, "an autoencoder would learn to move samples back", f"leave {name!r} out")
    planes = shape[:-1]
    if settings.flip and len(planes) != 2:
        _refuse("flip", f"samples of shape {shape} have no left and right", "leave 'flip' out")
    for name, size in (("shift", settings.shift), ("cutout", settings.cutout)):
        if size and (not planes or size >= min(planes)):
            most = f"give at most {min(planes) - 1}" if planes and min(planes) > 1 else f"leave {name!r} out"
            _refuse(name, f"{size} are too many for samples of shape {shape}", most)


def _refuse(key: str, why: str, hint: str) -> None:
    raise ConfigurationError(f"{key!r} cannot be: {why}", where="[training]", hint=hint)


def augmented(x: Array, settings: TrainingSettings, random: np.random.Generator) -> Array:
    """One after the other: flipped, shifted, cut out, with noise. What nobody asked for draws nothing."""
    x = flipped(x, random) if settings.flip else x
    x = shifted(x, settings.shift, random) if settings.shift else x
    x = cut_out(x, settings.cutout, random) if settings.cutout else x
    return x + np.float32(settings.noise) * random.standard_normal(x.shape, np.float32) if settings.noise else x


def flipped(x: Array, random: np.random.Generator) -> Array:
    """Half of the images (N, height, width, channels) with left and right exchanged."""
    chosen = random.random(len(x)) < 0.5
    return np.where(chosen[:, None, None, None], x[:, :, ::-1], x)


def shifted(x: Array, most: int, random: np.random.Generator) -> Array:
    """Each sample moved by up to `most` along each axis but the channels'. Zeros come in: the mean of z-scored ones."""
    planes = x.shape[1:-1]
    around = np.pad(x, ((0, 0), *((most, most),) * len(planes), (0, 0)))
    index = [np.arange(len(x)).reshape(-1, *(1,) * len(planes))]
    for axis, size in enumerate(planes):
        places = random.integers(0, 2 * most + 1, (len(x), 1)) + np.arange(size)
        index.append(places.reshape(len(x), *(size if other == axis else 1 for other in range(len(planes)))))
    return np.asarray(around[tuple(index)])


def cut_out(x: Array, size: int, random: np.random.Generator) -> Array:
    """Zeros in a square (or stretch) of `size` in each sample (DeVries and Taylor, 2017). Its centre is anywhere in it,
    so that at edges less is cut."""
    inside = np.ones(x.shape[:-1], bool)
    for axis, length in enumerate(x.shape[1:-1], start=1):
        first = random.integers(0, length, (len(x), 1)) - size // 2
        places = np.arange(length)
        here = (places >= first) & (places < first + size)
        inside &= here.reshape(len(x), *(length if other == axis else 1 for other in range(1, x.ndim - 1)))
    return np.where(inside[..., None], np.float32(0), x)


def mixup(x: Array, y: Array, alpha: float, random: np.random.Generator) -> tuple[Array, Array]:
    """Blend a batch with a shuffled copy of itself (Zhang et al., ICLR 2018): one factor from Beta(alpha, alpha).

    `x` (N, ...) and one-hot `y` (N, classes), float32; the same shapes come back. `alpha` 0 leaves the batch alone,
    1 draws every factor with the same chance.
    """
    if alpha == 0:
        return x, y
    factor = np.float32(random.beta(alpha, alpha))
    partner = random.permutation(len(x))
    return factor * x + (1 - factor) * x[partner], factor * y + (1 - factor) * y[partner]
