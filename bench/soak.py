"""`bin/soak jobs`: a million lines encrypted and decrypted by bulk jobs, with kills if wanted, and compared."""

import argparse
import json
import os
import secrets
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from stack.layout import PROJECT

KILLED = ("bulk-worker", "hsm", "web-tls", "beat", "valkey", "postgres")


def main() -> None:
    parser = argparse.ArgumentParser(prog="bin/soak")
    parser.add_argument("what", choices=["jobs"])
    parser.add_argument("--lines", type=int, default=1_000_000)
    parser.add_argument("--kill", action="store_true", help="a process every ten seconds")
    parser.add_argument("--state", type=Path, default=PROJECT / "var")
    given = parser.parse_args()
    stop = threading.Event()
    if given.kill:
        threading.Thread(target=_kill, args=[given.state, stop], daemon=True).start()
    with tempfile.TemporaryDirectory(prefix="soak-") as folder:
        _jobs(given.state / "customers" / "acme", Path(folder), given.lines)
    stop.set()


def _jobs(home: Path, folder: Path, lines: int) -> None:
    name = f"soak-{secrets.token_hex(4)}"
    (folder / "key").write_bytes(secrets.token_bytes(32))
    with (folder / "lines").open("w") as file:
        file.writelines(f"line {n} of a long file\n" for n in range(lines))
    usages = ["--usage", "encrypt", "--usage", "decrypt"]
    _run(home, "import", folder / "key", "--name", name, "--type", "AES-256", "--encoding", "raw", *usages)
    steps = [
        ("encrypt", "lines", folder / "lines", "base64-lines", folder / "encrypted"),
        ("decrypt", "base64-lines", folder / "encrypted", "lines", folder / "again"),
    ]
    for operation, form, source, written, target in steps:
        begun = time.monotonic()
        job = _run(home, "job", "submit", "--key", name, "--operation", operation, "--in", source, "--format", form)[
            "id"
        ]
        submitted = time.monotonic()
        state = _run(home, "job", "status", job, "--watch")
        done = time.monotonic()
        _run(home, "job", "fetch", job, "--out", target, "--format", written)
        fetched = time.monotonic()
        print(
            f"{operation}: {state['progress']['items_done']} items; sealed and handed in {submitted - begun:.0f} s,"
            f" done {done - submitted:.0f} s later, fetched and opened in {fetched - done:.0f} s:"
            f" {lines / (fetched - begun):.0f} lines/s in all"
        )
    same = (folder / "again").read_bytes() == (folder / "lines").read_bytes()
    print("the lines came back as they were" if same else "THE LINES DIFFER")
    if not same:
        sys.exit(1)


def _run(home: Path, *arguments: object) -> Any:
    done = subprocess.run(
        [sys.executable, "-m", "strongroom", *map(str, arguments), "--json"],
        env={"STRONGROOM_HOME": str(home), "PYTHONPATH": str(PROJECT)},
        stdout=subprocess.PIPE,
        check=True,
    )
    return json.loads(done.stdout)


def _kill(state: Path, stop: threading.Event) -> None:
    turn = 0
    while not stop.wait(10):
        name = KILLED[turn % len(KILLED)]
        pid = json.loads((state / "access.json").read_text())["processes"].get(name)
        if pid:
            os.kill(pid, signal.SIGKILL)
            print(f"killed {name}")
        turn += 1


if __name__ == "__main__":
    main()
