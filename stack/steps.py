"""The steps of bringing a stack up that are commands: `python -m stack step NAME`. Each may be repeated at any time."""

import hashlib
import os
import subprocess
import sys

import msgspec

from stack import postgres
from stack.customers import customers
from stack.device import device
from stack.layout import PROJECT, TENANTS, State, write_private
from stack.people import read_people
from strongroom.officer.cards import read_card


def cluster(state: State) -> None:
    """The embedded PostgreSQL's cluster."""
    postgres.make_cluster(state)


def database(state: State) -> None:
    """Database, tables and roles."""
    if _is_stamped(state, "database", version := _version_of_tables()):
        return
    if _is_embedded(state):
        postgres.make_database(state)
    manage("migrate", "--database", "owner", "--no-input", "--verbosity", "0")
    manage("prepare_roles")
    _stamp(state, "database", version)


def registration(state: State) -> None:
    """The portal learns of the device, of its officers with their cards, and of the tenants with their admins."""
    people = read_people(state)
    officers = [
        {
            "username": one.username,
            "password": one.password,
            "otp_seed": one.otp_seed,
            "officer_class": one.officer_class,
            "name": read_card(state.card(one.username)).face.name,
            "email": one.email,
        }
        for one in people.officers
    ]
    tenants = [
        {
            "slug": slug,
            "name": TENANTS[slug],
            "people": [msgspec.to_builtins(one) | {"role": "owner", "email": one.email}],
        }
        for slug, one in people.admins.items()
    ]
    support = msgspec.to_builtins(people.support)
    spec = msgspec.json.encode({"officers": officers, "support": support, "tenants": tenants})
    commands = ["register_device", "make_engine_keys", "seed_development"]
    version = hashlib.sha256(msgspec.json.encode([commands, spec])).hexdigest()
    if _is_stamped(state, "registration", version):
        return
    for command in commands:
        manage(command, given=spec)
    _stamp(state, "registration", version)


def manage(*arguments: str, given: bytes = b"") -> bytes:
    """Run `manage.py`; its standard output. Its complaints go to this step's log."""
    command = [sys.executable, str(PROJECT / "manage.py"), *arguments]
    return subprocess.run(command, input=given, stdout=subprocess.PIPE, check=True, cwd=PROJECT).stdout


def _version_of_tables() -> str:
    hasher = hashlib.sha256()
    for file in sorted([*PROJECT.glob("*/migrations/*.py"), *PROJECT.glob("*/*/migrations/*.py")]):
        hasher.update(file.read_bytes())
    for name in ("requirements.txt", "tenants/roles.py", "portal/management/commands/prepare_roles.py"):
        hasher.update((PROJECT / name).read_bytes())
    return hasher.hexdigest()


def _is_embedded(state: State) -> bool:
    return os.environ["DATABASE_OWNER_URL"] == postgres.database_url(state, postgres.OWNER)


def _is_stamped(state: State, step: str, version: str) -> bool:
    """Whether the step was done in this version: believed only of our own database, which nobody else changes."""
    stamp = state.folder("steps") / step
    return _is_embedded(state) and stamp.exists() and stamp.read_text() == version


def _stamp(state: State, step: str, version: str) -> None:
    write_private(state.folder("steps") / step, version.encode())


STEPS = {
    "cluster": cluster,
    "device": device,
    "database": database,
    "registration": registration,
    "customers": customers,
}
