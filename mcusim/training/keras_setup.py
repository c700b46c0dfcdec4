"""Import Keras with its TensorFlow backend, late and quietly: `import mcusim.training` must stay fast."""

import importlib.util
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from mcusim.system.errors import MissingToolError

INSTALL = "pip install mcusim[train]"


def import_keras() -> Any:
    """The `keras` module. MissingToolError when it or TensorFlow cannot be imported, or Keras has another backend."""
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    try:
        with _without_chatter(), _home_kept_clean():
            import keras
            import tensorflow  # noqa: F401  (Keras imports it by itself; here to learn which one is missing)
    except ImportError as error:
        raise MissingToolError(f"Keras and TensorFlow are needed to train models ({error})", hint=INSTALL) from None
    if keras.backend.backend() != "tensorflow":
        hint = "set KERAS_BACKEND=tensorflow"
        raise MissingToolError(f"Keras runs on {keras.backend.backend()!r}, mcusim trains on 'tensorflow'", hint=hint)
    return keras


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
    lacking = [name for name in ("keras", "tensorflow") if importlib.util.find_spec(name) is None]
    if not lacking:
        return None
    return MissingToolError(f"training needs {' and '.join(lacking)}, which is not installed", hint=INSTALL)


def make_repeatable(keras: Any, seed: int) -> None:
    """Seed Python, NumPy and TensorFlow, and keep TensorFlow to kernels that do not depend on the timing of threads."""
    import tensorflow as tf

    keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


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
