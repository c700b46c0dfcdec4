"""`mcusim` in a process that has imported everything: of a run of a second most is imports.

`with warm(folder) as words:` -> how the program starts, in place of `python -m mcusim`. Each call is a process of its
own, a copy of one that did nothing but import, with the caller's working folder, environment and streams.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[1]
STREAMS = 3
CLIENT = f"""
import json, os, socket, sys
asked = json.dumps([sys.argv[2:], os.getcwd(), dict(os.environ)]).encode()
with socket.socket(socket.AF_UNIX) as server:
    server.connect(sys.argv[1])
    socket.send_fds(server, [len(asked).to_bytes(4, "little")], range({STREAMS}))
    server.sendall(asked)
    sys.exit((server.recv(1) or b"\\xff")[0])
"""


@contextmanager
def warm(folder: Path) -> Iterator[list[str]]:
    """`folder` is one of the test."""
    path = folder / "warm.socket"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(path))
        listening.listen()
        command = [sys.executable, "-m", "tests.warm", str(listening.fileno())]
        server = subprocess.Popen(command, cwd=ROOT, pass_fds=[listening.fileno()], start_new_session=True)
        try:
            yield [sys.executable, "-ISc", CLIENT, str(path)]
        finally:
            server.kill()
            server.wait()


def serve(listening: socket.socket) -> None:
    import mcusim.commands.cli
    import mcusim.pipeline  # noqa: F401

    signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    while True:
        connection, _ = listening.accept()
        if os.fork() == 0:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            listening.close()
            answer(connection)
        connection.close()


def answer(connection: socket.socket) -> None:
    """Never returns."""
    from mcusim.commands.cli import main

    length, streams, *_ = socket.recv_fds(connection, 4, STREAMS)
    arguments, folder, environment = json.loads(connection.recv(int.from_bytes(length, "little"), socket.MSG_WAITALL))
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(environment)
    try:
        main(arguments)
    except SystemExit as end:
        sys.stdout.flush()
        sys.stderr.flush()
        connection.sendall(bytes([end.code if isinstance(end.code, int) else 1]))
    finally:
        os._exit(0)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
