"""A whole running stack for tests: what `bin/up` starts, and how its people use it."""

import contextlib
import json
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stack import lifecycle, otp
from stack.customers import configure_officer, log_in
from stack.layout import State
from stack.people import People, Person, read_people
from stack.run import Run, read_run
from strongroom.client import access, account, imports
from strongroom.client.connection import Connection, Who, connect
from strongroom.client.home import Home
from strongroom.client.material import read_material
from strongroom.officer.cards import OpenCard, open_card, read_card
from strongroom.protocol.access import client_principal
from strongroom.protocol.mechanisms import KeyType
from strongroom.protocol.statements import Receipt
from strongroom.protocol.terms import Terms, new_salt

RIGHTS = ["import", "sign", "verify", "encrypt", "decrypt", "hash", "translate", "derive", "wrap", "unwrap"]


@dataclass(frozen=True)
class Tenant:
    """A customer of the stack, with its configuration folder; `admin` is its Alice."""

    stack: "Stack"
    slug: str
    home: Home
    admin: Person

    def connect(self, who: Who = "client") -> Connection:
        """As the API client, or as the admin, logged in where need be."""
        if who == "person":
            log_in(self.stack.state, self.admin, self.home)
        return connect(self.home, who)

    def new_client(self, name: str, rights: list[str] | None = None) -> str:
        """A fresh API client with these rights (all, unless said) on the access list; its token."""
        return self.new_client_and_token(name, rights)[1].token

    def new_client_and_token(self, name: str, rights: list[str] | None = None) -> tuple[str, account.Token]:
        """As `new_client`: the client's id, and its token with what it is revoked by."""
        with self.connect("person") as connection:
            client = account.create_client(connection, name)["id"]
            token = account.create_token(connection, client)
            if rights != []:
                change = access.allow(client_principal(client), rights or RIGHTS, label=name)
                access.update(connection, change, int(time.time()))
        return client, token

    def import_key(self, name: str, data: bytes, key_type: KeyType | None = None, **terms: Any) -> Receipt:
        """Bring the key in a file's bytes into the partition, under `terms` (usages, authorisation, …).

        `key_type`: of bytes that could be of several.
        """
        material = read_material(data, key_type)
        sealed = Terms(salt=new_salt(), key_type=material.key_type, **terms)
        with self.connect() as connection:
            return imports.import_key(connection, material, name, sealed, int(time.time())).receipt


@dataclass(frozen=True)
class Stack:
    """A running stack. `access` is the content of its access.json."""

    state: State

    @property
    def access(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.state.access_file.read_text())
        return found

    @property
    def run(self) -> Run:
        run = read_run(self.state)
        if run is None:
            raise LookupError("no run.json")
        return run

    @property
    def url(self) -> str:
        return self.run.url

    @property
    def people(self) -> People:
        return read_people(self.state)

    def tenant(self, slug: str) -> Tenant:
        return Tenant(self, slug, Home(self.state.customer(slug)), self.people.admins[slug])

    def officer(self, username: str) -> tuple[Connection, OpenCard]:
        """An officer at work: logged in, with the card open."""
        officer = next(one for one in self.people.officers if one.username == username)
        home = configure_officer(self.state, self.run, officer)
        log_in(self.state, officer, home)
        return connect(home, "person"), open_card(read_card(self.state.card(username)), officer.pin)

    def code(self, username: str) -> str:
        """The person's next one-time code; waits where the codes in time are used up."""
        return otp.next_code(self.state, self.people.of(username))


@contextlib.contextmanager
def running_stack() -> Iterator[Stack]:
    """Start a stack on a fresh state and any free port, and stop it afterwards.

    Not below pytest's own folder, which another run of pytest closes to PostgreSQL's user.
    """
    with tempfile.TemporaryDirectory(prefix="strongroom-") as folder:
        state = State(Path(folder).resolve() / "state")
        supervisor = lifecycle.start(state, port=0, tied=True, log=True)
        try:
            yield Stack(state)
        finally:
            lifecycle.stop(supervisor)
