"""What a person of the tenant does at the portal: log in, enrol this device, make API clients, ask for a partition."""

from typing import Any

import msgspec

from strongroom.client.connection import Connection, connect
from strongroom.client.home import Home
from strongroom.client.http import segment
from strongroom.protocol.access import device_principal
from strongroom.protocol.errors import Refused

Record = dict[str, Any]
"""What the portal says of a thing, for display; no decision rests on it."""


class Login(msgspec.Struct, frozen=True, kw_only=True):
    """Answer to a login. `token` is kept, and shown to nobody."""

    token: str
    expiry: str
    username: str
    tenant: str | None = None
    officer_class: str | None = None


class Token(msgspec.Struct, frozen=True, kw_only=True):
    """A fresh API client token, which the portal shows this once."""

    token: str
    token_key: str
    expiry: str


def login(connection: Connection, username: str, password: str, otp: str) -> Login:
    """Log a person in (a tenant's or an officer) and keep the token. `connection` is one as `nobody`."""
    body = {"username": username, "password": password, "otp": otp}
    answer = connection.portal.post("login", body, Login)
    connection.home.save_session(answer.token)
    return answer


def logout(home: Home) -> None:
    """End the person's session at the portal and here."""
    try:
        with connect(home, "person") as connection:
            connection.portal.post("logout", {}, Any)
    finally:
        home.forget_session()


def enrol_device(connection: Connection, name: str, passphrase: bytes = b"") -> Record:
    """Register this machine's device credential, made now unless there is one. The owner must list it then."""
    home = connection.home
    if not home.has_key("device"):
        home.make_key("device", passphrase)
    credential = home.credential("device")
    answer = connection.portal.post("devices", {"name": name, "credential": credential}, Record)
    if answer.get("principal") != device_principal(credential):
        raise Refused("internal", "the portal registered another credential than was sent")
    return answer


def devices(connection: Connection) -> list[Record]:
    return connection.portal.get("devices", list[Record])


def create_client(connection: Connection, name: str) -> Record:
    return connection.portal.post("clients", {"name": name}, Record)


def clients(connection: Connection) -> list[Record]:
    return connection.portal.get("clients", list[Record])


def client_id(connection: Connection, reference: str) -> str:
    """The id of an API client given by id or name. Raises `Refused("not-found")`."""
    for one in clients(connection):
        if reference in (one.get("id"), one.get("name")):
            return str(one["id"])
    raise Refused("not-found", f"no API client {reference!r}")


def create_token(connection: Connection, reference: str, days: int = 90) -> Token:
    """A token for an API client, given by id or name."""
    identifier = client_id(connection, reference)
    return connection.portal.post(f"clients/{segment(identifier)}/tokens", {"days": days}, Token)


def revoke_client(connection: Connection, reference: str) -> str:
    """End an API client, given by id or name, with all its tokens; returns its id. The access list still names it."""
    identifier = client_id(connection, reference)
    connection.portal.delete(f"clients/{segment(identifier)}")
    return identifier


def revoke_token(connection: Connection, reference: str, token_key: str) -> None:
    """End one token of an API client, named by the `token_key` that was shown with it."""
    identifier = client_id(connection, reference)
    connection.portal.delete(f"clients/{segment(identifier)}/tokens/{segment(token_key)}")


def request_partition(connection: Connection, label: str) -> Record:
    """Ask for a partition that this folder's owner credential will own. Officers define it."""
    owner = connection.home.credential("owner")
    return connection.portal.post("partitions", {"label": label, "owner": owner}, Record)


def partitions(connection: Connection) -> list[Record]:
    return connection.portal.get("partitions", list[Record])


def partition(connection: Connection, identifier: str) -> Record:
    """One partition of the tenant. Raises `Refused("not-found")`."""
    return connection.portal.get(f"partitions/{segment(identifier)}", Record)
