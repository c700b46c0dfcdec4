"""Import Keras with the framework that it computes with, late and quietly: `import mcusim.training` must stay fast."""

import importlib
import importlib.util
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mcusim.system.errors import ConfigurationError, MissingToolError
from mcusim.system.names import printable, shortened
from mcusim.training.backends import BACKENDS, Backend

USUAL = "tensorflow"
INSTALL = "pip install mcusim[train]"
NAMES = {"tensorflow": "TensorFlow", "torch": "PyTorch"}
NO_GPU = "CUDA_VISIBLE_DEVICES=-1, which trains without it"
LONGEST_TOLD = 200


def import_keras() -> Any:
    """The `keras` module. MissingToolError when it or its framework cannot be imported, or is none to train with."""
    os.environ["KERAS_BACKEND"] = chosen = os.environ.get("KERAS_BACKEND") or USUAL
    if "keras" not in sys.modules:  # which would take long to say the same, or raise whatever it likes
        _demand_backend(chosen)
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # a GPU that others use, too, has not all of its memory
    try:
        with _without_chatter(), _home_kept_clean():
            import keras

            importlib.import_module(keras.backend.backend())  # Keras does it by itself; here to learn which one lacks
    except ImportError as error:
        what = f"Keras and {NAMES.get(chosen, chosen)} are needed to train models ({error})"
        raise MissingToolError(what, hint=_installing(chosen)) from None
    _demand_backend(keras.backend.backend())
    return keras


def _demand_backend(name: str) -> None:
    if name not in BACKENDS:
        hint = f"set KERAS_BACKEND to {' or '.join(BACKENDS)}"
        raise MissingToolError(f"mcusim does not train with {name!r} as Keras' backend", hint=hint)


def _installing(name: str) -> str:
    """`INSTALL` brings the usual one alone."""
    return INSTALL if name == USUAL else f"pip install {name}, or unset KERAS_BACKEND"


def backend() -> Backend:
    """What Keras computes with."""
    return BACKENDS[import_keras().backend.backend()]


def framework() -> tuple[str, str]:
    """Its name and version."""
    name = import_keras().backend.backend()
    return name, str(importlib.import_module(name).__version__)


def demand_tensorflow(table: str) -> None:
    """MissingToolError where Keras computes with something else, which cannot do what a table of TOML asks for."""
    name = import_keras().backend.backend()
    if name != USUAL:
        what = f"{table} computes with TensorFlow, and Keras runs on {name!r}"
        raise MissingToolError(what, hint=f"set KERAS_BACKEND={USUAL}")


@contextmanager
def _home_kept_clean() -> Iterator[None]:
    """Where Keras finds no settings it writes some when it is imported: then into a folder that goes."""
    home = Path(os.environ.get("KERAS_HOME") or Path("~/.keras").expanduser())
    if (home / "keras.json").is_file():
        yield
        return
    before = os.environ.get("KERAS_HOME")
    with tempfile.TemporaryDirectory(prefix="mcusim-") as folder:
        os.environ["KERAS_HOME"] = folder
        try:
            yield
        finally:
            del os.environ["KERAS_HOME"]
            if before is not None:
                os.environ["KERAS_HOME"] = before


def missing() -> MissingToolError | None:
    """What training lacks here, without the seconds that an import takes."""
    chosen = os.environ.get("KERAS_BACKEND") or USUAL
    wanted = ("keras", chosen)
    lacking = [name for name in wanted if importlib.util.find_spec(name) is None]
    if not lacking:
        return None
    return MissingToolError(f"training needs {' and '.join(lacking)}, which is not installed", hint=_installing(chosen))


def make_repeatable(keras: Any, seed: int) -> None:
    """Seed Python, NumPy and the framework, and keep it to kernels that do not depend on the timing of threads."""
    keras.utils.set_random_seed(seed)
    backend().make_repeatable()


@contextmanager
def device_trouble(batch_size: int) -> Iterator[None]:
    """What the framework says of memory and GPUs becomes an error that tells what to do."""
    used = backend()
    try:
        yield
    except (used.out_of_memory(), MemoryError) as error:
        has_gpu = used.has_gpu()
        what = f"{'the GPU' if has_gpu else 'this machine'} has not enough memory for batches of {batch_size}"
        hint = f"give a 'batch_size' below {batch_size}" + (f", or set {NO_GPU}" if has_gpu else "")
        raise ConfigurationError(f"{what} ({_first_line(error)})", where="[training]", hint=hint) from None
    except used.of_device() as error:
        if not used.has_gpu():
            raise
        raise MissingToolError(f"the GPU cannot be used: {_first_line(error)}", hint=f"set {NO_GPU}") from None


def _first_line(error: BaseException) -> str:
    told = getattr(error, "message", None) or str(error) or type(error).__name__
    return shortened(printable(told.strip().splitlines()[0]), LONGEST_TOLD)


@contextmanager
def _without_chatter() -> Iterator[None]:
    """Hold back what C++ writes to file descriptor 2: TensorFlow 2.21 ignores its own log level while it is imported.

    What was held back is shown after all when the import fails.
    """
    if sys.modules.get("tensorflow"):
        yield
        return
    sys.stderr.flush()
    with tempfile.TemporaryFile() as held:
        real = os.dup(2)
        os.dup2(held.fileno(), 2)
        try:
            yield
        except BaseException:
            held.seek(0)
            os.write(real, held.read())
            raise
        finally:
            os.dup2(real, 2)
            os.close(real)
