"""The steps of bringing a stack up that are commands: `python -m stack step NAME`. Each may be repeated at any time."""

import hashlib
import os
import subprocess
import sys

from stack import postgres
from stack.layout import PROJECT, State, write_private


def cluster(state: State) -> None:
    """The embedded PostgreSQL's cluster."""
    postgres.make_cluster(state)


def database(state: State) -> None:
    """Database, tables and roles."""
    embedded = postgres.database_url(state, postgres.OWNER) == os.environ["DATABASE_OWNER_URL"]
    # 1. On our own server, which nobody else changes, this is needed once for each version of the tables.
    stamp = state.folder("steps") / "database"
    version = _version_of_tables()
    if embedded and stamp.exists() and stamp.read_text() == version:
        return
    # 2. The database, its tables, and the roles that serve.
    if embedded:
        postgres.make_database(state)
    manage("migrate", "--database", "owner", "--no-input", "--verbosity", "0")
    manage("prepare_roles")
    write_private(stamp, version.encode())


def manage(*arguments: str, given: bytes = b"") -> bytes:
    """Run `manage.py`; its standard output. Its complaints go to this step's log."""
    command = [sys.executable, PROJECT / "manage.py", *arguments]
    return subprocess.run(command, input=given, stdout=subprocess.PIPE, check=True, cwd=PROJECT).stdout


def _version_of_tables() -> str:
    hasher = hashlib.sha256()
    for file in sorted([*PROJECT.glob("*/migrations/*.py"), *PROJECT.glob("*/*/migrations/*.py")]):
        hasher.update(file.read_bytes())
    for name in ("requirements.txt", "tenants/roles.py", "portal/management/commands/prepare_roles.py"):
        hasher.update((PROJECT / name).read_bytes())
    return hasher.hexdigest()


STEPS = {"cluster": cluster, "database": database}
