"""`python -m hsm`: start the sealed process, which serves its socket until told to stop.

It begins blank, manufactured or sealed; never operational: that takes officers.
"""

import argparse
import fcntl
import logging
import os
from pathlib import Path

from hsm.device import open_device
from hsm.sandbox import seal_process
from hsm.server import Server


def main() -> None:
    parser = argparse.ArgumentParser(prog="hsm", description="The sealed device (emulator).")
    parser.add_argument("--state", type=Path, required=True, help="the device's own folder, 0700")
    parser.add_argument("--socket", type=Path, required=True, help="path of the unix socket to serve")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="operations processes (one a core)")
    parser.add_argument("--portal-uid", type=int, default=os.geteuid(), help="user id that may call as the portal")
    parser.add_argument("--console-uid", type=int, default=os.geteuid(), help="user id that may use the console")
    arguments = parser.parse_args()
    os.umask(0o077)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(levelname)s %(message)s")
    state: Path = arguments.state.resolve()
    state.mkdir(mode=0o700, parents=True, exist_ok=True)
    # One process a state folder: the lock falls with whoever holds it.
    lock = os.open(state / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        parser.exit(1, f"another process serves {state}\n")
    device = open_device(state)
    if device.mode == "development":
        logging.getLogger("hsm").warning(
            "DEVELOPMENT device: its certificate says so, and its officers may be one person"
        )
    server = Server(
        device,
        arguments.socket,
        workers=arguments.workers,
        allowed={"portal": {arguments.portal_uid}, "console": {arguments.console_uid}},
    )
    seal_process(writable=[state, arguments.socket.resolve().parent, Path("/dev/null"), Path("/dev/urandom")])
    server.run()


if __name__ == "__main__":
    main()
