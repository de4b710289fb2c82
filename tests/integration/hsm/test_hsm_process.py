"""What the process is: its few requirements, its rights and its callers."""

import importlib.metadata
import os
import re
import resource
import shutil
import stat
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from strongroom.protocol import commands as c
from strongroom.protocol.mechanisms import KeyType
from tests.support.materials import make_terms
from tests.support.refusals import refused
from tests.support.sealed import ROOT, Customer, SealedDevice

FORBIDDEN = re.compile(
    r"(django|rest_framework|portal|tenants|tee|manufacturer|validator|stack|psycopg|redis|celery|httpx|urllib3|requests)"
    r"(\.|$)|strongroom\.(?!protocol)"
)
NOBODY = 65534


def whole_life(device: SealedDevice) -> tuple[Customer, str]:
    """From blank to an import and an operation."""
    device.bring_up()
    customer = device.customer()
    key = customer.import_key(os.urandom(32), make_terms(KeyType.AES_256), "k").key_id
    assert customer.operate(key, "hash", b"m").code == ""
    return customer, key


# --- requirements ---


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """(python, source) with `hsm/requirements.txt`, what that brings, and the sealed process's own files alone."""
    root = tmp_path_factory.mktemp("bare")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", root / "venv"], check=True)
    [packages] = (root / "venv").glob("lib/python*/site-packages")
    wanted = (ROOT / "hsm/requirements.txt").read_text().split()
    pinned = dict(line.split("==") for line in wanted)
    todo, done = list(pinned), set()
    while todo:
        distribution = importlib.metadata.distribution(todo.pop())
        name = distribution.metadata["Name"].lower()
        if name in done:
            continue
        done.add(name)
        assert distribution.version == pinned.get(name, distribution.version)
        for file in distribution.files or []:
            top = file.parts[0]
            if top not in {"..", "__pycache__"} and not (packages / top).exists():
                (packages / top).symlink_to(distribution.locate_file(top))
        for requirement in distribution.requires or []:
            if "extra ==" not in requirement and not re.search(r"python_version < .3", requirement):
                todo.append(re.split(r"[^A-Za-z0-9_.-]", requirement)[0])
    source = root / "source"
    shutil.copytree(ROOT / "hsm", source / "hsm", ignore=shutil.ignore_patterns("__pycache__"))
    ignored = shutil.ignore_patterns("__pycache__", "client", "cli", "officer", "__main__.py")
    shutil.copytree(ROOT / "strongroom", source / "strongroom", ignore=ignored)
    return root / "venv/bin/python", source


def test_it_lives_its_whole_life_with_its_own_requirements_alone(
    make_device: Callable[..., SealedDevice], bare: tuple[Path, Path]
) -> None:
    device = make_device()
    python, device.source = bare
    device.python = [str(python), "-X", "importtime"]
    device.popen = {"env": {"PATH": os.environ["PATH"], "PYTHONDONTWRITEBYTECODE": "1"}}
    whole_life(device)
    device.stop()
    imported = {line.rpartition("|")[2].strip() for line in device.log.read_text().splitlines() if "|" in line}
    assert {"hsm.server", "strongroom.protocol.envelope", "cryptography"} <= imported
    assert [name for name in imported if FORBIDDEN.match(name)] == []


def test_the_bare_surroundings_really_have_no_more(bare: tuple[Path, Path]) -> None:
    python, source = bare
    for module in ("django", "httpx", "rich", "strongroom.client", "manufacturer"):
        tried = subprocess.run([python, "-c", f"import {module}"], cwd=source, check=False, capture_output=True)
        assert b"ModuleNotFoundError" in tried.stderr


# --- rights ---

# The change happens inside, as root's interpreter may be out of others' reach; it costs the flag that the device is to
# give up by itself, which is therefore set again.
BECOME_NOBODY = f"""
import ctypes, errno, os, sys
import hsm.__main__
libc = ctypes.CDLL(None, use_errno=True)
if os.geteuid() == 0:
    os.setgroups([])
    os.setresgid({NOBODY}, {NOBODY}, {NOBODY})
    os.setresuid({NOBODY}, {NOBODY}, {NOBODY})
    libc.prctl(4, 1, 0, 0, 0)
"""
SERVE = """
del sys.argv[1:3]
hsm.__main__.main()
"""


def status_of(pid: int) -> dict[str, str]:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return {name: value.strip() for name, _, value in (line.partition(":") for line in lines)}


def test_parent_and_workers_have_no_capabilities_no_new_privileges_and_no_core_dumps(hsm: SealedDevice) -> None:
    for pid in (hsm.pid, *hsm.status().workers):
        status = status_of(pid)
        for name in ("CapEff", "CapPrm", "CapInh"):
            assert int(status[name], 16) == 0
        assert status["NoNewPrivs"] == "1"
        assert resource.prlimit(pid, resource.RLIMIT_CORE) == (0, 0)


@pytest.fixture(scope="module")
def unprivileged(make_device: Callable[..., SealedDevice]) -> SealedDevice:
    """A device that runs as a user without privileges: this one's, or where that is root, nobody."""
    device = make_device(workers=1)
    device.python = [sys.executable, "-c", BECOME_NOBODY + SERVE]
    if os.geteuid() == 0:
        device.options = ["--portal-uid", "0", "--console-uid", "0"]
        os.chown(device.folder.parent, NOBODY, NOBODY)
    device.bring_up()
    return device


def as_that_user(program: str, *arguments: object) -> list[str]:
    """Words that a program says, run as the user that `unprivileged` runs as."""
    command = [sys.executable, "-c", BECOME_NOBODY + textwrap.dedent(program), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT).stdout.split()


def test_another_process_of_the_same_user_cannot_read_its_memory_or_trace_it(unprivileged: SealedDevice) -> None:
    program = """
        pid = int(sys.argv[1])
        for name in ("mem", "environ", "maps"):
            try:
                open(f"/proc/{pid}/{name}", "rb").read(1)
            except OSError as error:  # an open memory has nothing at its beginning: that is EIO
                print("refused" if error.errno in (errno.EACCES, errno.EPERM) else "open")
            else:
                print("open")
        attached = libc.ptrace(16, pid, 0, 0)
        print("refused" if attached == -1 and ctypes.get_errno() == errno.EPERM else "attached")
    """
    for pid in (unprivileged.pid, *unprivileged.status().workers):
        assert os.geteuid() != 0 or status_of(pid)["Uid"].split() == [str(NOBODY)] * 4
        assert as_that_user(program, pid) == ["refused"] * 4
    # The same look at a process that does not guard itself succeeds: the check can fail.
    idle = BECOME_NOBODY + "print('ready', flush=True); sys.stdin.read()"
    bystander = subprocess.Popen([sys.executable, "-c", idle], stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT)
    try:
        assert bystander.stdout is not None
        assert bystander.stdout.readline() == b"ready\n"
        assert as_that_user(program, bystander.pid) == ["open"] * 3 + ["attached"]
    finally:
        bystander.kill()
        bystander.wait()


SANDBOXED = """
    import os, socket, subprocess, sys
    from pathlib import Path
    from hsm.sandbox import seal_process
    seal_process(writable=[Path(sys.argv[1])])

    def refused(what):
        try:
            what()
        except OSError as error:
            return isinstance(error, PermissionError)
        return False

    inside, outside = Path(sys.argv[1]), Path(sys.argv[2])
    print(refused(lambda: (inside / "mine").write_text("x")))
    print(refused(lambda: outside.read_text()))
    print(refused(lambda: outside.write_text("x")))
    print(refused(lambda: os.listdir(outside.parent)))
    print(refused(lambda: outside.unlink()))
    print(refused(lambda: outside.with_name("new").mkdir()))
    print(refused(lambda: open("/proc/1/cmdline").read()))
    print(refused(lambda: open("/usr/strongroom-test", "w")))
    print(refused(lambda: socket.create_connection(("127.0.0.1", int(sys.argv[3])))))
    print(refused(lambda: socket.create_server(("127.0.0.1", 0))))
"""


def test_it_can_touch_nothing_but_its_own_files_and_no_network(tmp_path: Path) -> None:
    """The sandbox itself, tried from inside: the serving process offers no way to be asked to open a file."""
    import socket

    inside, outside = tmp_path / "inside", tmp_path / "outside/file"
    inside.mkdir()
    outside.parent.mkdir()
    outside.write_text("kept")
    with socket.create_server(("127.0.0.1", 0)) as server:
        command = [sys.executable, "-c", textwrap.dedent(SANDBOXED), inside, outside, str(server.getsockname()[1])]
        tried = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert tried.stdout.split() == ["False"] + ["True"] * 9
    assert outside.read_text() == "kept"


def test_the_sandbox_is_on_before_anything_secret_is_read(make_device: Callable[..., SealedDevice]) -> None:
    source = (ROOT / "hsm/__main__.py").read_text()
    assert source.index("seal_process(writable=") < source.index("open_device(state)")
    device = make_device(workers=1)
    device.start()
    assert status_of(device.pid)["Seccomp"] is not None
    assert status_of(device.pid)["NoNewPrivs"] == "1"


# --- callers ---


def test_a_caller_with_another_user_id_is_refused(make_device: Callable[..., SealedDevice]) -> None:
    device = make_device(workers=1)
    device.options = ["--portal-uid", str(os.geteuid() + 1)]
    device.start()
    for lane in ("admin", "operations"):
        with refused("caller-refused"):
            device.line(lane, "portal")
    assert device.console().call(c.Status(), c.StatusReply).state == "blank"


def test_the_console_too_is_for_its_user_alone(make_device: Callable[..., SealedDevice]) -> None:
    device = make_device(workers=1)
    device.options = ["--console-uid", str(os.geteuid() + 1)]
    device.start()
    with refused("caller-refused"):
        device.console()


def test_the_socket_is_closed_to_others_where_one_user_is_everybody(hsm: SealedDevice) -> None:
    assert stat.S_IMODE(hsm.socket.stat().st_mode) == 0o600


# --- measurement ---


def test_the_measurement_is_that_of_its_sources_and_changes_with_them(
    make_device: Callable[..., SealedDevice], bare: tuple[Path, Path], hsm: SealedDevice, tmp_path: Path
) -> None:
    python, source = bare
    measured = []
    for changed in (False, True):
        device = make_device(workers=1)
        device.python, device.source = [str(python)], tmp_path / str(changed)
        shutil.copytree(source, device.source)
        if changed:
            with (device.source / "hsm/quorum.py").open("a") as file:
                file.write("\n")
        device.start()
        measured.append(device.status().version)
    assert measured[0] == hsm.status().version != measured[1]
