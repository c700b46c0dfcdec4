"""TensorFlow Lite Micro's interpreter, for tests: in a process of its own, which it ends where a file displeases it."""

from __future__ import annotations

import atexit
import multiprocessing
from collections.abc import Mapping, Sequence
from multiprocessing.connection import Connection
from typing import Any

import numpy as np
import pytest

from mcusim.system.arrays import Array

ANSWER_S = 60.0
REASON = "tflite-micro is not installed"


class Refused(Exception):
    """TFLM does not run the file."""


def serve(connection: Connection) -> None:
    """(file, samples of each input, tensors, steps) -> outputs, and values of those tensors; or a text."""
    from tflite_micro.python.tflite_micro import runtime

    keep = runtime.InterpreterConfig.kPreserveAllTensors
    while True:
        content, samples, tensors, steps = connection.recv()
        try:
            interpreter = runtime.Interpreter.from_bytes(content, arena_size=2**25, intrepreter_config=keep)
            outputs: list[list[Array]] = []
            inner: list[dict[int, Array]] = []
            for sample in zip(*samples, strict=True):
                interpreter.reset()
                for step in range(steps):
                    for index, field in enumerate(sample):
                        interpreter.set_input(field[step] if steps > 1 else field, index)
                    interpreter.invoke()
                count = _count(content)
                outputs.append([np.array(interpreter.get_output(index)) for index in range(count)])
                inner.append({index: np.array(interpreter.GetTensor(index, 0)["tensor_data"]) for index in tensors})
            found = [np.stack(one) for one in zip(*outputs, strict=True)]
            connection.send((found, {index: np.stack([one[index] for one in inner]) for index in tensors}))
        except Exception as error:
            connection.send(f"{type(error).__name__}: {error}")


def _count(content: bytes) -> int:
    from tflite_micro.tensorflow.lite.micro.python import schema_py_generated as schema

    return int(schema.Model.GetRootAsModel(content, 0).Subgraphs(0).OutputsLength())


class Interpreter:
    """The process, which is started again where it ended."""

    def __init__(self) -> None:
        self._process: Any = None
        self._connection: Any = None

    def run(
        self, content: bytes, samples: Sequence[Array], tensors: Sequence[int] = (), steps: int = 1
    ) -> tuple[list[Array], Mapping[int, Array]]:
        """`samples`: of each input, (N, *shape of the file's tensor). Raises Refused.

        With `steps` each has so many of that shape, fed one after the other, of which the last is answered.
        """
        pytest.importorskip("tflite_micro.python.tflite_micro", reason=REASON)
        if self._process is None:
            self._start()
        try:
            self._connection.send((content, list(samples), list(tensors), steps))
            answer = self._connection.recv() if self._connection.poll(ANSWER_S) else "no answer"
        except (EOFError, OSError):
            answer = "its process ended"
        if isinstance(answer, str):
            self.stop()
            raise Refused(answer)
        return answer  # type: ignore[no-any-return]

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs,), daemon=True)
        self._process.start()
        theirs.close()

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.join()
            self._connection.close()
            self._process = None


TFLM = Interpreter()
atexit.register(TFLM.stop)
