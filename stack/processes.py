"""Processes as the kernel knows them: which one a process id means, whose it is, and how it is ended."""

import contextlib
import ctypes
import os
import signal
import time
from collections.abc import Callable, Iterable
from pathlib import Path

import msgspec

MARKER = "STRONGROOM_STACK"
"""Environment variable of every process of a stack; its value is the stack's runtime folder."""

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)
_BOOT = Path("/proc/sys/kernel/random/boot_id").read_text().strip()


class Identity(msgspec.Struct, frozen=True):
    """A process id with when it began (ticks since that boot), so that a number used again is never mistaken."""

    pid: int
    began: int
    boot: str


def identify(pid: int) -> Identity | None:
    """Who has this process id now; None where nobody has it, or only a zombie that waits to be reaped."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, began = fields[0], int(fields[19])
    return None if state in "ZX" else Identity(pid, began, _BOOT)


def alive(identity: Identity) -> bool:
    return identify(identity.pid) == identity


def send(identity: Identity, number: signal.Signals) -> None:
    """Signal exactly that process: through a descriptor, so that the number cannot change hands meanwhile."""
    with contextlib.suppress(ProcessLookupError):
        descriptor = os.pidfd_open(identity.pid)
        try:
            if alive(identity):
                signal.pidfd_send_signal(descriptor, number)
        finally:
            os.close(descriptor)


def marked(stack: str) -> list[Identity]:
    """The processes that say in their environment that they belong to `stack`, other than the caller."""
    found = []
    wanted = f"{MARKER}={stack}".encode()
    for folder in Path("/proc").iterdir():
        if not folder.name.isdigit() or int(folder.name) == os.getpid():
            continue
        try:
            environment = (folder / "environ").read_bytes().split(b"\0")
        except OSError:  # gone meanwhile, or not ours to read: then it is not one of ours either
            continue
        identity = identify(int(folder.name))
        if wanted in environment and identity is not None:
            found.append(identity)
    return found


def end(processes: Iterable[Identity], *, patience: float) -> int:
    """End them: SIGTERM, then after `patience` seconds SIGKILL. Returns how many were there."""
    left = [one for one in processes if alive(one)]
    count = len(left)
    for number, seconds in ((signal.SIGTERM, patience), (signal.SIGKILL, 5.0)):
        for one in left:
            send(one, number)
        deadline = time.monotonic() + seconds
        while left and time.monotonic() < deadline:
            time.sleep(0.05)
            left = [one for one in left if alive(one)]
    return count


def tie_to_parent(number: signal.Signals) -> Callable[[], None]:
    """A `preexec_fn`: the kernel sends the child `number` when its parent ends; blocked signals reach it again."""
    parent = os.getpid()

    def prepare() -> None:
        if _libc.prctl(_PR_SET_PDEATHSIG, int(number), 0, 0, 0) != 0 or os.getppid() != parent:
            os._exit(1)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])

    return prepare
