"""A device of one's own to rehearse on: started in a throw-away folder, certified for development, gone afterwards."""

import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from strongroom.protocol.errors import Refused

PATIENCE = 30.0


@contextmanager
def device() -> Iterator[tuple[str, bytes, Path]]:
    """(the console's command, the manufacturer's root in PEM, a folder) of a fresh development device.

    It needs the emulator and the development manufacturer installed beside the command. Raises
    `Refused("hsm-unreachable")`.
    """
    with TemporaryDirectory(prefix="strongroom-rehearsal-") as name:
        folder = Path(name)
        socket, store = folder / "hsm.sock", folder / "manufacturer"
        serve = [sys.executable, "-m", "hsm", "--state", str(folder / "hsm"), "--socket", str(socket), "--workers", "1"]
        with (folder / "hsm.log").open("wb") as log:
            process = subprocess.Popen(serve, stdout=log, stderr=log)
        try:
            deadline = time.monotonic() + PATIENCE
            while not socket.exists():
                if process.poll() is not None or time.monotonic() > deadline:
                    raise Refused("hsm-unreachable", "there is no emulator here to rehearse on")
                time.sleep(0.05)
            console = [sys.executable, "-m", "hsm.console", "--socket", str(socket)]
            (folder / "request.pem").write_bytes(_run(*console, "csr"))
            maker = [sys.executable, "-m", "manufacturer"]
            _run(*maker, "init", "--store", str(store))
            _run(
                *maker,
                *("certify", "--store", str(store), "--csr", str(folder / "request.pem"), "--mode", "development"),
                *("--provider", "rehearsal", "--out", str(folder)),
            )
            certificate = ("--certificate", str(folder / "certificate.pem"), "--root", str(folder / "root.pem"))
            _run(*console, "install", *certificate)
            yield " ".join(console), (folder / "root.pem").read_bytes(), folder
        finally:
            process.terminate()
            process.wait(20)


def _run(*command: str) -> bytes:
    done = subprocess.run(command, capture_output=True, check=False, timeout=60)
    if done.returncode:
        raise Refused("hsm-unreachable", done.stderr.decode().strip()[-300:])
    return done.stdout
