"""A customer's revocation endpoint for as long as it is needed: the customer's own command."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from stack.layout import PROJECT, StackError

START_SECONDS = 20


@contextlib.contextmanager
def serving(folder: Path) -> Iterator[int]:
    """`strongroom revocation serve` over a folder, on a free port of this machine, which is given."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    command = [sys.executable, "-m", "strongroom", "revocation", "serve", "--dir", str(folder), "--port", str(port)]
    process = subprocess.Popen(
        command, env=os.environ | {"PYTHONPATH": str(PROJECT)}, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        deadline = time.monotonic() + START_SECONDS
        while not _answers(port):
            if process.poll() is not None or time.monotonic() > deadline:
                raise StackError("The revocation endpoint does not start.")
            time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait()


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
