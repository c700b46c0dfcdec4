"""Training: it learns, repeats itself, keeps the best and last epoch, and loses nothing to Ctrl-C."""

from __future__ import annotations

import dataclasses
import errno
import importlib
import importlib.util
import os
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from mcusim.datasets import Dataset
from mcusim.models import read_model
from mcusim.system.errors import ConfigurationError, DataError, MissingToolError
from mcusim.system.records import records_of
from mcusim.training.architectures import build_model
from mcusim.training.course import TrainingProgress
from mcusim.training.goals import Classes, Judged
from mcusim.training.keras_setup import demand_tensorflow, device_trouble
from mcusim.training.learner import Learner
from mcusim.training.model_files import file_stem
from mcusim.training.normalization_file import load_normalization, load_record
from mcusim.training.settings import TrainingSettings
from mcusim.training.training import TrainedFiles, train

pytestmark = pytest.mark.train
RANDOM = {"batch_norm": True, "dropout": 0.2}  # what has statistics and counters beside its weights
SHORT = TrainingSettings(epochs=3, batch_size=16, learning_rate=0.05)


def blobs(groups: bool = False) -> Dataset:
    """Three well separated classes around far from zero values; 16 x 2 samples."""
    random = np.random.default_rng(0)
    y = np.arange(90) % 3
    x = random.normal(100, 1, (90, 16, 2)) + 4 * y[:, None, None]
    samples, people = x.astype(np.float32), np.arange(60) // 6 if groups else None
    return Dataset("blobs", samples[:60], y[:60], samples[60:], y[60:], ("a", "b", "c"), people)


def learn(
    folder: Path, settings: TrainingSettings = SHORT, *, name: str = "net", seed: int = 1, **more: Any
) -> TrainedFiles:
    dataset = more.pop("dataset", None) or blobs()
    parameters = {"filters": [4]} | more.pop("parameters", {})
    return train(dataset, "cnn", parameters, settings, folder, name, seed, **more)


def load(path: Path) -> Any:
    import keras

    return keras.models.load_model(path)


def weights(path: Path) -> list[Any]:
    return list(load(path).get_weights())


def test_it_learns(tmp_path: Path) -> None:
    files = learn(tmp_path, TrainingSettings(epochs=6, batch_size=16))
    dataset = blobs()
    normalization = load_normalization(files.best)
    assert normalization is not None
    answers = np.argmax(load(files.best)(normalization.apply(dataset.x_test)), axis=1)
    assert np.mean(answers == dataset.y_test) > 0.9
    assert files.history[-1].loss < files.history[0].loss
    assert files.complete and len(files.history) == 6


def test_files_carry_statistics_and_no_optimizer(tmp_path: Path) -> None:
    files = learn(tmp_path, name="my/net 'x'")
    assert files.best.parent == tmp_path and files.best != files.last
    for path in (files.best, files.last):
        assert getattr(load(path), "optimizer", None) is None
        with zipfile.ZipFile(path) as archive:
            assert b"optimizer" not in archive.read("model.weights.h5")
        statistics = load_normalization(path)
        assert statistics is not None and 100 < statistics.mean[0] < 108
    made = load_record(files.last)["made"]
    assert made["seed"] == 1 and made["dataset"] == "blobs" and made["training"]["epochs"] == 3
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".keras", ".keras"]


def test_the_same_seed_gives_the_same_file(tmp_path: Path) -> None:
    mixed = TrainingSettings(epochs=2, batch_size=16, mixup=0.5, shift=2, cutout=3, noise=0.1, optimizer="adam")
    first, other = (learn(tmp_path / str(seed), mixed, seed=seed, parameters=RANDOM) for seed in (7, 8))
    assert other.history != first.history
    again, told = interrupted_and_gone_on(tmp_path / "again", mixed, seed=7)
    assert first.last.read_bytes() == again.last.read_bytes()
    assert first.history == again.history and told.epochs == 1 and told.last == first.history[0]


def interrupted_and_gone_on(
    folder: Path, settings: TrainingSettings, **more: Any
) -> tuple[TrainedFiles, TrainingProgress]:
    """Ended in its second epoch, begun once more: what came out, and what was told first."""

    def interrupt(progress: TrainingProgress) -> None:
        if progress.epochs and progress.batches > 5:
            raise KeyboardInterrupt

    more["parameters"] = RANDOM
    assert not learn(folder, settings, progress=interrupt, **more).complete
    told: list[TrainingProgress] = []
    files = learn(folder, settings, progress=told.append, **more)
    assert files.complete and not list(folder.glob(".*"))
    return files, told[1]


def test_files_hold_nothing_that_older_keras_refuses(tmp_path: Path) -> None:
    files = learn(tmp_path, TrainingSettings(epochs=1))
    with zipfile.ZipFile(files.last) as archive:
        description = archive.read("config.json")
    assert not [word for word in (b"quantization_config", b"input_axes", b"shared_object_id") if word in description]


def test_without_normalization(tmp_path: Path) -> None:
    files = learn(tmp_path, TrainingSettings(epochs=1, learning_rate=1e-6), normalize="none")
    assert load_normalization(files.last) is None


def test_learning_rate_follows_the_milestones(tmp_path: Path) -> None:
    files = learn(tmp_path, TrainingSettings(epochs=3, milestones=(1, 2), gamma=0.1))
    assert [epoch.learning_rate for epoch in files.history] == pytest.approx([0.05, 0.005, 0.0005])


def test_one_step_is_pytorchs_sgd() -> None:
    """Gradient + weight decay * weight goes through the momentum: v = m v + g, w -= rate v."""
    model = build_model("mlp", {"units": []}, (4,), 3, seed=2)
    kernel, bias = (weight.astype(np.float64) for weight in model.get_weights())
    random = np.random.default_rng(0)
    x, y = random.normal(size=(5, 4)).astype(np.float32), np.array([0, 1, 2, 0, 1])
    settings = TrainingSettings(batch_size=5, momentum=0.9, weight_decay=0.1, learning_rate=0.5)
    learner = Learner(model, Classes("abc"), settings, random)
    speed = [np.zeros_like(kernel), np.zeros_like(bias)]
    for _ in range(3):
        answers = np.exp(x @ kernel + bias)
        error = (answers / answers.sum(axis=1, keepdims=True) - np.eye(3)[y]) / 5
        speed[0] = 0.9 * speed[0] + x.T @ error + 0.1 * kernel
        speed[1] = 0.9 * speed[1] + error.sum(axis=0) + 0.1 * bias
        kernel, bias = kernel - 0.5 * speed[0], bias - 0.5 * speed[1]
        learner.learn(x, y, 0, lambda: None)
    np.testing.assert_allclose(model.get_weights()[0], kernel, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(model.get_weights()[1], bias, rtol=1e-4, atol=1e-6)


def test_one_step_is_adamw() -> None:
    """Weights shrink by rate * decay on their own; the first step of Adam is the rate, whatever the gradient."""
    model = build_model("mlp", {"units": []}, (4,), 3, seed=2)
    before = model.get_weights()[0].astype(np.float64)
    x = np.random.default_rng(0).normal(size=(5, 4)).astype(np.float32)
    settings = TrainingSettings(batch_size=5, optimizer="adam", weight_decay=0.1, learning_rate=0.01)
    Learner(model, Classes("abc"), settings, np.random.default_rng(0)).learn(
        x, np.array([0, 1, 2, 0, 1]), 0, lambda: None
    )
    moved = model.get_weights()[0] - before * (1 - 0.01 * 0.1)
    np.testing.assert_allclose(np.abs(moved), 0.01, rtol=1e-3)


def test_training_ends_when_nothing_gets_better(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scores = iter([0.5, 0.7, 0.6, 0.6, 0.9])
    monkeypatch.setattr(Learner, "learn", lambda *_: (1.0, 0.5))
    monkeypatch.setattr(Learner, "judge", lambda *_: Judged(next(scores)))
    files = learn(tmp_path, TrainingSettings(epochs=9, validation=0.2, patience=2))
    assert (len(files.history), files.best_epoch, files.complete) == (4, 1, True)


def test_best_is_the_lowest_loss_when_nothing_is_held_out(tmp_path: Path) -> None:
    files = learn(tmp_path, TrainingSettings(epochs=5, batch_size=16, learning_rate=1))
    losses = [epoch.loss for epoch in files.history]
    assert losses[files.best_epoch] == min(losses)
    assert files.history[0].validation_accuracy is None


def test_best_is_the_highest_validation_accuracy(tmp_path: Path) -> None:
    settings = TrainingSettings(epochs=4, batch_size=16, validation=0.3)
    files = learn(tmp_path, settings, dataset=blobs(groups=True))
    scores = [epoch.validation_accuracy for epoch in files.history]
    assert None not in scores
    assert scores[files.best_epoch] == max(score for score in scores if score is not None)


def test_the_best_file_holds_the_best_epoch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Losses 3, 1, 2: best is the second epoch, last the third."""
    seen: list[list[Any]] = []
    real = Learner.learn

    def scripted(self: Learner, *args: Any) -> tuple[float, float]:
        real(self, *args)
        seen.append(self.model.get_weights())
        return (3.0, 1.0, 2.0)[len(seen) - 1], 0.5

    monkeypatch.setattr(Learner, "learn", scripted)
    files = learn(tmp_path)
    assert files.best_epoch == 1
    np.testing.assert_array_equal(weights(files.best)[0], seen[1][0])
    np.testing.assert_array_equal(weights(files.last)[0], seen[2][0])


def test_ctrl_c_keeps_the_finished_epochs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[Any]] = []
    real = Learner.learn

    def interrupted(self: Learner, x: Any, y: Any, epoch: int, step_done: Any) -> tuple[float, float]:
        if len(seen) == 2:
            real(self, x, y, epoch, step_done)  # some steps of the third epoch are lost, as announced
            raise KeyboardInterrupt
        answer = real(self, x, y, epoch, step_done)
        seen.append(self.model.get_weights())
        return answer

    monkeypatch.setattr(Learner, "learn", interrupted)
    files = learn(tmp_path, TrainingSettings(epochs=9, batch_size=16))
    assert not files.complete and len(files.history) == 2
    np.testing.assert_array_equal(weights(files.last)[0], seen[1][0])


def test_what_has_lost_its_best_epoch_begins_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its weights are in its file alone."""
    accuracies = [0.9, 0.5, 0.4]
    monkeypatch.setattr(Classes, "judge", lambda *_: Judged(accuracy=accuracies.pop(0)))
    settings = SHORT.model_copy(update={"validation": 0.2})
    whole = learn(tmp_path / "whole", settings)
    accuracies[:] = [0.9, 0.5]
    with monkeypatch.context() as patched:
        real = Learner.learn

        def interrupted(self: Learner, x: Any, y: Any, epoch: int, done: Any) -> tuple[float, float | None]:
            if epoch == 2:
                raise KeyboardInterrupt
            return real(self, x, y, epoch, done)

        patched.setattr(Learner, "learn", interrupted)
        learn(tmp_path / "lost", settings).best.unlink()
    accuracies[:] = [0.9, 0.5, 0.4]
    again = learn(tmp_path / "lost", settings)
    assert again.best.read_bytes() == whole.best.read_bytes() and again.last.read_bytes() == whole.last.read_bytes()


def test_ctrl_c_in_the_first_epoch_goes_on_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(*_: Any) -> tuple[float, float]:
        raise KeyboardInterrupt

    monkeypatch.setattr(Learner, "learn", interrupted)
    with pytest.raises(KeyboardInterrupt):
        learn(tmp_path)
    assert not list(tmp_path.iterdir())


def test_divergence_is_named_and_keeps_what_was_good(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    losses = iter([1.0, float("nan")])
    monkeypatch.setattr(Learner, "learn", lambda *_: (next(losses), 0.5))
    with pytest.raises(ConfigurationError, match="training diverged: the loss is nan in epoch 2") as caught:
        learn(tmp_path)
    assert len(list(tmp_path.glob("*_last.keras"))) == 1
    assert caught.value.hint == "give a 'learning_rate' below 0.05, or schedule = 'one-cycle', which begins with less"


def test_weights_that_the_last_batch_of_an_epoch_ruined_are_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its loss was a number; that of the next epoch will not be, or there is none."""
    calls = []

    def ruin(learner: Learner, *_: Any) -> tuple[float, float]:
        calls.append(learner)
        if len(calls) == 2:
            learner.model.set_weights([array * np.float32("inf") for array in learner.model.get_weights()])
        return 1.0, 0.5

    monkeypatch.setattr(Learner, "learn", ruin)
    with pytest.raises(ConfigurationError, match="training diverged: a weight is no number after epoch 2") as caught:
        learn(tmp_path, SHORT.model_copy(update={"epochs": 2}))
    assert caught.value.hint and caught.value.hint.startswith("give a 'learning_rate' below 0.05")
    for kept in ("last", "best"):
        assert all(np.isfinite(array).all() for array in weights(tmp_path / f"net_{kept}.keras"))
    assert not list(tmp_path.glob(".*")), "another try does not go on from there"


def test_an_epoch_ends_with_the_batch_that_diverged() -> None:
    model = build_model("mlp", {"units": []}, (4,), 2)
    x, steps = np.full((8, 4), np.inf, np.float32), list[None]()
    settings = TrainingSettings(batch_size=2)
    loss, _ = Learner(model, Classes("ab"), settings, np.random.default_rng(0)).learn(
        x, np.arange(8) % 2, 0, lambda: steps.append(None)
    )
    assert not np.isfinite(loss) and len(steps) == 1


@pytest.mark.skipif(os.geteuid() == 0 and sys.platform != "linux", reason="root may write anywhere")
def test_an_unwritable_folder_is_noticed_before_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setattr(Learner, "learn", lambda *_: pytest.fail("trained for nothing"))
    with pytest.raises(ConfigurationError, match="cannot write"):
        learn(tmp_path / "file" / "out")


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import keras

    def full(*_: Any, **__: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(keras.Model, "save", full)
    with pytest.raises(ConfigurationError, match="No space left on device"):
        learn(tmp_path)


def test_wrong_normalization(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="'normalize' is 'minmax'"):
        learn(tmp_path, normalize="minmax")


def test_names_become_files() -> None:
    assert file_stem("resnetv1_6-f16.v2") == "resnetv1_6-f16.v2"
    names = ["a/b", "a b", "a_b", "../../etc/passwd", "", ".", "ü", "'", "int", "x" * 300, "\udcff"]
    stems = [file_stem(name) for name in names]
    assert len(set(stems)) == len(names)
    assert all(stem and "/" not in stem and not stem.startswith(".") and len(stem) < 120 for stem in stems)


def test_without_tensorflow(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "tensorflow", None)
    with pytest.raises(MissingToolError, match="tensorflow") as caught:
        learn(tmp_path)
    assert caught.value.hint == "pip install mcusim[train]"


def test_importing_stays_fast_and_training_quiet(tmp_path: Path) -> None:
    """No TensorFlow until it is needed; nothing is printed, TensorFlow's own notes included."""
    script = """
import sys
from pathlib import Path
import numpy as np
from mcusim.datasets import Dataset
from mcusim.training.settings import TrainingSettings
from mcusim.training.training import train
assert not {"tensorflow", "keras", "sklearn", "pooch"} & set(sys.modules)
x, y = np.random.default_rng(0).normal(size=(8, 4)).astype("f"), np.arange(8) % 2
train(Dataset("d", x, y, x, y, ("a", "b")), "mlp", {}, TrainingSettings(epochs=1), Path(sys.argv[1]), "m", 0)
"""
    done = subprocess.run([sys.executable, "-c", script, str(tmp_path)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_it_tells_after_every_batch_how_far_it_is(tmp_path: Path) -> None:
    told: list[TrainingProgress] = []
    settings = TrainingSettings(epochs=2, batch_size=25, validation=0.3)
    files = learn(tmp_path, settings, dataset=blobs(groups=True), progress=told.append)
    batches = 2  # of 42 samples
    assert [at.batches for at in told] == [0, 1, 2, 2, 3, 4, 4], "once more when an epoch has its figures"
    assert [at.epochs for at in told] == [0, 0, 0, 1, 1, 1, 2]
    assert {(at.all_batches, at.all_epochs) for at in told} == {(2 * batches, 2)}
    assert [at.last for at in told] == [None] * 3 + [files.history[0]] * 3 + [files.history[1]]


def test_reals_are_not_learned_here(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="labels of data set 'blobs' are reals: mcusim trains classifiers") as caught:
        learn(tmp_path, dataset=dataclasses.replace(blobs(), y_train=np.linspace(0, 1, 60)))
    assert caught.value.hint and "regression" not in caught.value.hint, "which changes nothing"


def test_labels_of_several_numbers_are_told_how_to_become_one(tmp_path: Path) -> None:
    soft = np.eye(3)[blobs().y_train] * 0.9 + 0.03
    with pytest.raises(DataError, match="not one-hot") as caught:
        learn(tmp_path, dataset=dataclasses.replace(blobs(), y_train=soft))
    assert caught.value.hint and "argmax" in caught.value.hint


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"x_train": records_of({"a": blobs().x_train, "b": blobs().x_train})}, "2 inputs and 1 outputs"),
        ({"y_train": records_of({"a": blobs().y_train, "b": blobs().y_train})}, "1 inputs and 2 outputs"),
    ],
    ids=["inputs", "outputs"],
)
def test_several_inputs_or_outputs_are_not_trained_here(tmp_path: Path, changes: dict[str, Any], told: str) -> None:
    with pytest.raises(DataError, match=f"data set 'blobs' has {told}") as caught:
        learn(tmp_path, dataset=dataclasses.replace(blobs(), **changes))
    assert caught.value.hint and not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("gpus", "kind", "error", "message", "hint"),
    [
        (1, "ResourceExhaustedError", ConfigurationError, "the GPU has not enough memory", "below 16"),
        (0, "ResourceExhaustedError", ConfigurationError, "this machine has not enough memory", "below 16"),
        (1, "InternalError", MissingToolError, "the GPU cannot be used: no memory", "CUDA_VISIBLE_DEVICES=-1"),
        (0, "InternalError", Exception, "no memory", ""),
    ],
)
def test_devices_without_memory(
    gpus: int, kind: str, error: type[Exception], message: str, hint: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By kind. A failure of another kind, without a GPU, is none of these."""
    import tensorflow as tf

    monkeypatch.setattr(tf.config, "list_physical_devices", lambda _: ["gpu"] * gpus)
    with pytest.raises(error, match=message) as caught, device_trouble(16):
        raise getattr(tf.errors, kind)(None, None, "no memory\n[[node x]]")
    assert hint in getattr(caught.value, "hint", "")


def test_an_autoencoder_learns_to_repeat_what_is_normal(tmp_path: Path) -> None:
    """Label 0, or all where there are no labels: it needs none. It has a loss of what is held out, and no accuracy."""
    normal, other = np.random.default_rng(0).normal(0, 1, (2, 40, 6)).astype(np.float32)
    x, y = np.concatenate([normal, other + 9]), np.repeat([0, 1], 40)
    of_both, of_normal = (Dataset("pumps", *one) for one in ((x, y, x, y), (normal, None, normal, None)))
    settings = TrainingSettings(epochs=3, batch_size=8, learning_rate=0.05, validation=0.2)
    one, same = (
        train(data, "autoencoder", {"units": [3]}, settings, tmp_path / str(at), "net", 1)
        for at, data in enumerate((of_both, of_normal))
    )
    assert one.history == same.history and one.last.read_bytes() != b""
    losses = [epoch.validation_loss for epoch in one.history]
    assert one.history[0].accuracy is None and one.history[0].validation_accuracy is None
    assert one.history[-1].loss < one.history[0].loss and one.best_epoch == np.argmin(losses)
    np.testing.assert_array_equal(weights(one.last)[0], weights(same.last)[0])


@pytest.mark.parametrize(
    ("y", "classes", "message"),
    [
        ([0, 3], (), "training labels hold label 3"),
        ([1, 1], (), "no training sample of data set 'pumps' is normal"),
        ([0, 1], ("broken", "fine"), "it is not known which one is normal"),
    ],
)
def test_labels_that_tell_nobody_what_is_normal(y: Any, classes: Any, message: str, tmp_path: Path) -> None:
    x = np.zeros((2, 6), np.float32)
    with pytest.raises(DataError, match=message) as caught:
        train(Dataset("pumps", x, np.array(y), x, None, classes), "autoencoder", {}, SHORT, tmp_path, "net", 1)
    assert caught.value.hint


ON_TORCH = """
import sys
from pathlib import Path
from mcusim.training.normalization_file import load_record
from tests.training.test_training import RANDOM, TrainingSettings, learn
settings = TrainingSettings(epochs=4, batch_size=16)
files = [learn(Path(sys.argv[1]) / name, settings, parameters=RANDOM).last for name in ("1", "2")]
assert files[0].read_bytes() == files[1].read_bytes() and "torch" in load_record(files[0])["made"]
"""


@pytest.mark.skipif(importlib.util.find_spec("torch") is None, reason="PyTorch is not installed")
def test_keras_may_run_on_torch(tmp_path: Path) -> None:
    """In another process, as Keras has one backend for its life: it learns, and repeats itself."""
    environment = {**os.environ, "KERAS_BACKEND": "torch"}
    subprocess.run(
        [sys.executable, "-c", ON_TORCH, str(tmp_path)], env=environment, check=True, cwd=Path(__file__).parents[2]
    )
    dataset, source = blobs(), read_model(tmp_path / "1" / "net_last.keras", "net")
    answers = source.graph.run(source.normalized(dataset.x_test)).argmax(axis=1)
    assert np.mean(answers == dataset.y_test) > 0.7


@pytest.mark.parametrize(
    ("name", "message"), [("torch", "computes with TensorFlow"), ("openvino", "does not train with")]
)
def test_other_backends(name: str, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    import keras

    monkeypatch.setattr(keras.backend, "backend", lambda: name)
    monkeypatch.setattr(importlib, "import_module", lambda _: None)
    with pytest.raises(MissingToolError, match=message) as caught:
        demand_tensorflow("[training.quantization]")
    assert "KERAS_BACKEND" in caught.value.hint


@pytest.mark.parametrize(
    ("name", "message", "hint"),
    [
        ("nonsense", "does not train with 'nonsense'", "set KERAS_BACKEND to tensorflow or torch"),
        ("jax", "does not train with 'jax'", "set KERAS_BACKEND to tensorflow or torch"),
        ("torch", "Keras and PyTorch are needed", "pip install torch, or unset KERAS_BACKEND"),
        ("", "Keras and TensorFlow are needed", "pip install mcusim[train]"),
    ],
)
def test_backends_that_are_not_there(name: str, message: str, hint: str) -> None:
    """In a process of its own: which one it is, is decided as Keras is imported."""
    script = """
import sys
from mcusim.system.errors import MissingToolError
from mcusim.training.keras_setup import import_keras
sys.modules["torch"] = sys.modules["tensorflow"] = None
try:
    import_keras()
except MissingToolError as error:
    print(error.what, error.hint, sep="|")
"""
    environment = {**os.environ, "KERAS_BACKEND": name}
    told = subprocess.run(
        [sys.executable, "-c", script], env=environment, check=True, capture_output=True, text=True
    ).stdout.strip()
    assert message in told and told.endswith(f"|{hint}")
