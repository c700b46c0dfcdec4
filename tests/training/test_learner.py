"""What a batch goes through before it is learned: flips, shifts, cut-out, noise, mixup."""

from __future__ import annotations

import numpy as np
import pytest

from mcusim.system.errors import ConfigurationError
from mcusim.training.augmentation import augmented, cut_out, demand_fit, flipped, mixup, shifted
from mcusim.training.settings import TrainingSettings

X = np.arange(12, dtype=np.float32).reshape(6, 2)
Y = np.eye(3, dtype=np.float32)[[0, 1, 2, 0, 1, 2]]


def test_alpha_zero_is_off() -> None:
    x, y = mixup(X, Y, 0, np.random.default_rng(0))
    assert x is X and y is Y


def test_samples_and_labels_are_blended_alike() -> None:
    random = np.random.default_rng(1)
    x, y = mixup(X, Y, 1.0, random)
    again = np.random.default_rng(1)
    factor, partner = np.float32(again.beta(1, 1)), again.permutation(6)
    np.testing.assert_allclose(x, factor * X + (1 - factor) * X[partner])
    np.testing.assert_allclose(y, factor * Y + (1 - factor) * Y[partner])
    np.testing.assert_allclose(y.sum(axis=1), 1)
    assert x.dtype == y.dtype == np.float32 and 0 < factor < 1


def test_a_small_alpha_blends_little() -> None:
    random = np.random.default_rng(2)
    largest = [mixup(X, Y, 0.05, random)[1].max(axis=1).mean() for _ in range(200)]
    assert np.mean(largest) > 0.95


IMAGES = np.random.default_rng(0).normal(1, 1, (40, 6, 7, 2)).astype(np.float32)


def test_half_of_the_images_are_mirrored_whole() -> None:
    found = flipped(IMAGES, np.random.default_rng(3))
    mirrored = [bool((one == image[:, ::-1]).all()) for one, image in zip(found, IMAGES, strict=True)]
    assert all(there or (one == image).all() for there, one, image in zip(mirrored, found, IMAGES, strict=True))
    assert 10 < sum(mirrored) < 30 and found.dtype == np.float32


@pytest.mark.parametrize("x", [IMAGES, IMAGES[:, :, 0]], ids=["images", "series"])
def test_a_shift_moves_all_channels_alike_and_brings_zeros(x: np.ndarray) -> None:
    found, most = shifted(x, 2, np.random.default_rng(4)), 2
    assert found.shape == x.shape and found.dtype == np.float32
    moved = set()
    around = np.pad(x, ((0, 0), *((most, most),) * (x.ndim - 2), (0, 0)))
    for one, whole in zip(found, around, strict=True):
        places = [at for at in np.ndindex(*(5,) * (x.ndim - 2)) if (_part(whole, at, one.shape) == one).all()]
        assert len(places) == 1, "it is the sample, somewhere"
        moved.add(places[0])
    assert len(moved) >= 5


def _part(whole: np.ndarray, at: tuple[int, ...], shape: tuple[int, ...]) -> np.ndarray:
    return whole[tuple(slice(first, first + size) for first, size in zip(at, shape, strict=False))]


def test_a_square_is_cut_out_of_all_channels() -> None:
    found = cut_out(IMAGES, 3, np.random.default_rng(5))
    cut = found != IMAGES
    assert (cut[..., 0] == cut[..., 1]).all() and (found[cut] == 0).all()
    counts = cut[..., 0].sum(axis=(1, 2))
    assert counts.max() == 9 and counts.min() < 9, "less at the edges"


def test_noise_has_its_deviation_and_nothing_is_drawn_unasked() -> None:
    random = np.random.default_rng(6)
    assert augmented(IMAGES, TrainingSettings(), random) is IMAGES
    assert random.random() == np.random.default_rng(6).random()
    difference = augmented(IMAGES, TrainingSettings(noise=0.5), random) - IMAGES
    assert abs(difference.std() - 0.5) < 0.02 and difference.dtype == np.float32


@pytest.mark.parametrize(
    ("settings", "shape", "told"),
    [
        ({"flip": True}, (128, 9), "'flip' cannot be: samples of shape"),
        ({"shift": 8}, (8, 9, 1), "'shift' cannot be: 8 are too many"),
        ({"cutout": 1}, (5,), "'cutout' cannot be: 1 are too many"),
    ],
)
def test_what_samples_cannot_be_put_through(settings: dict[str, int], shape: tuple[int, ...], told: str) -> None:
    with pytest.raises(ConfigurationError, match=told) as caught:
        demand_fit(TrainingSettings.model_validate(settings), shape)
    assert caught.value.hint


@pytest.mark.parametrize("moved", [{"flip": True}, {"shift": 1}])
def test_an_autoencoder_does_not_move_samples(moved: dict[str, int]) -> None:
    settings = TrainingSettings.model_validate(moved)
    with pytest.raises(ConfigurationError, match="an autoencoder would learn to move samples back"):
        demand_fit(settings, (8, 8, 1), repeats=True)
    demand_fit(settings, (8, 8, 1))
