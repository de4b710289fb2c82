"""What the process gives up before it serves: core dumps, being read by others, privileges, network, most of the files.

Host root is beyond this (README, what an emulator cannot do). Sources: prctl(2), landlock(7), capabilities(7),
mlockall(2).
"""

import ctypes
import logging
import os
import resource
import signal
import struct
import sys
from pathlib import Path

logger = logging.getLogger("hsm")
_libc = ctypes.CDLL(None, use_errno=True)

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38
_MLOCK_ALL = 1 | 2 | 4  # current, future, on fault
_SYS_CREATE, _SYS_ADD, _SYS_RESTRICT = 444, 445, 446
_READ = 1 << 0 | 1 << 2 | 1 << 3  # execute, read file, read directory
_ON_FILES = 1 << 0 | 1 << 1 | 1 << 2 | 1 << 14 | 1 << 15  # execute, write, read, truncate, device ioctl
_BIND, _NETWORK = 1 << 0, 1 << 0 | 1 << 1  # bind TCP; bind and connect
_BY_ABI = {1: (1 << 13) - 1, 2: (1 << 14) - 1, 3: (1 << 15) - 1, 4: (1 << 15) - 1}  # from 5 on: (1 << 16) - 1


def seal_process(*, writable: list[Path], outward: bool = False) -> None:
    """Give up what can be given up, and say in the log what could not. `writable` folders stay usable.

    `outward`: connections outward stay possible, which the revocator needs; `forbid_network` takes them away.
    """
    # 1. No core dumps, and no reading of this memory by other processes of the same user.
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    _require(_libc.prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0), "PR_SET_DUMPABLE")
    _require(_libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "PR_SET_NO_NEW_PRIVS")
    # 2. Memory stays out of swap, where the limits allow it.
    lock_memory()
    # 3. Only its own files, and no network.
    _landlock(writable, _BIND if outward else _NETWORK)
    # 4. No capabilities, also for root.
    header, data = struct.pack("Ii", 0x20080522, 0), struct.pack("6I", *[0] * 6)
    _require(_libc.capset(header, data), "capset")


def forbid_network() -> None:
    """Give up TCP connections too, where they were left."""
    if _libc.syscall(_SYS_CREATE, None, 0, 1) >= 4:
        _restrict(_new_ruleset(struct.pack("QQ", 0, _NETWORK)))


def follow_parent(parent: int) -> None:
    """Have the kernel kill this worker when its parent dies, even while it is stopped.

    Else a worker that was kept back could go on afterwards with rights and nonces as they were (prctl(2)).
    """
    _require(_libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0), "PR_SET_PDEATHSIG")
    if os.getppid() != parent:
        os._exit(1)


def lock_memory() -> None:
    """mlockall for this process; a fork does not inherit it, so each worker calls it too."""
    _, most = resource.getrlimit(resource.RLIMIT_MEMLOCK)
    if most == resource.RLIM_INFINITY:  # under a limit, locking the future would make allocations fail
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (most, most))
    if most != resource.RLIM_INFINITY or _libc.mlockall(_MLOCK_ALL) != 0:
        logger.warning("memory cannot be locked (RLIMIT_MEMLOCK): it might be swapped out")


def _landlock(writable: list[Path], network: int) -> None:
    abi = _libc.syscall(_SYS_CREATE, None, 0, 1)
    if abi < 1:
        logger.warning("this kernel has no Landlock: file and network access are not confined")
        return
    everything = _BY_ABI.get(abi, (1 << 16) - 1)
    ruleset = _new_ruleset(struct.pack("QQ", everything, network) if abi >= 4 else struct.pack("Q", everything))
    source = Path(__file__).resolve().parent.parent
    readable = {Path(sys.prefix), Path(sys.base_prefix), source / "hsm", source / "strongroom"}
    readable |= {Path(one) for one in ("/usr", "/lib", "/lib64", "/etc")}
    readable.add(Path("/etc/resolv.conf").resolve())  # often a link to where the system's resolver keeps it
    for path, rights in [*((one, _READ) for one in readable), *((one, everything) for one in writable)]:
        try:
            descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
        except (FileNotFoundError, PermissionError):  # what is not there or out of reach needs no permission
            continue
        # The kernel refuses rights on a file that only mean something for a folder.
        rule = struct.pack("=Qi", rights if path.is_dir() else rights & everything & _ON_FILES, descriptor)
        _require(_libc.syscall(_SYS_ADD, ruleset, 1, rule, 0), "landlock_add_rule")
        os.close(descriptor)
    _restrict(ruleset)


def _new_ruleset(attribute: bytes) -> int:
    ruleset = int(_libc.syscall(_SYS_CREATE, attribute, len(attribute), 0))
    _require(-1 if ruleset < 0 else 0, "landlock_create_ruleset")
    return ruleset


def _restrict(ruleset: int) -> None:
    _require(_libc.syscall(_SYS_RESTRICT, ruleset, 0), "landlock_restrict_self")
    os.close(ruleset)


def _require(result: int, what: str) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), what)
