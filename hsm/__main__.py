"""`python -m hsm`: start the sealed process, which serves its socket until told to stop.

It begins blank, manufactured or sealed; never operational: that takes officers.
"""

import argparse
import fcntl
import logging
import os
import sqlite3
import time
from pathlib import Path

from hsm.device import open_device
from hsm.sandbox import seal_process
from hsm.server import Server
from strongroom.protocol.errors import Refused

LOCK_SECONDS = 2.0


def main() -> None:
    parser = argparse.ArgumentParser(prog="hsm", description="The sealed device (emulator).")
    parser.add_argument("--state", type=Path, required=True, help="the device's own folder, 0700")
    parser.add_argument("--socket", type=Path, required=True, help="path of the unix socket to serve")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="operations processes (one a core)")
    parser.add_argument("--portal-uid", type=int, default=os.geteuid(), help="user id that may call as the portal")
    parser.add_argument("--console-uid", type=int, default=os.geteuid(), help="user id that may use the console")
    parser.add_argument(
        "--private-endpoints", action="store_true", help="let customers' revocation endpoints be in private networks"
    )
    arguments = parser.parse_args()
    os.umask(0o077)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    state: Path = arguments.state.resolve()
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    if not _lock(state):
        parser.exit(1, f"another process serves {state}\n")
    # Sealed before any secret is read.
    own = [state, arguments.socket.resolve().parent, Path("/dev/null"), Path("/dev/urandom")]
    seal_process(writable=own, outward=True)
    try:
        device = open_device(state)
    except Refused as error:
        parser.exit(1, f"The device does not start: {error.detail or error.problem.sentence}\n")
    except sqlite3.Error as error:
        parser.exit(1, f"The device does not start: {state / 'store.db'} cannot be used ({error}).\n")
    device.endpoints_may_be_private = arguments.private_endpoints
    if device.mode == "development":
        if device.certificate is not None and os.environ.get("STRONGROOM_ENV") == "production":
            parser.exit(1, "STRONGROOM_ENV is production: a development device is refused\n")
        logging.getLogger("hsm").warning(
            "DEVELOPMENT device: its certificate says so, and its officers may be one person"
        )
    server = Server(
        device,
        arguments.socket,
        workers=arguments.workers,
        allowed={"portal": {arguments.portal_uid}, "console": {arguments.console_uid}},
    )
    server.run()


def _lock(state: Path) -> bool:
    """Hold the state folder for this process and its workers: the lock falls when the last of them has died.

    Waits for workers that a killed parent has left, which are about to die too.
    """
    lock = os.open(state / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    deadline = time.monotonic() + LOCK_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(0.02)
        else:
            return True


if __name__ == "__main__":
    main()
