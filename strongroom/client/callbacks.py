"""Callbacks: where the tenant wants to be told of what is done. An admin registers them, as a person."""

import msgspec

from strongroom.client.account import Record
from strongroom.client.connection import Connection
from strongroom.client.http import segment


class NewCallback(msgspec.Struct, frozen=True, kw_only=True):
    """A callback with its secret, which the portal shows this once."""

    id: str
    url: str
    every: bool
    secret: str


def create(connection: Connection, url: str, *, every: bool = False) -> NewCallback:
    """`every`: tell it of every operation and job, not only of those that name it."""
    return connection.portal.post("callbacks", {"url": url, "every": every}, NewCallback)


def callbacks(connection: Connection) -> list[Record]:
    return connection.portal.get("callbacks", list[Record])


def rotate(connection: Connection, callback: str) -> NewCallback:
    """A new secret; the one before signs too for 24 hours."""
    return connection.portal.post(f"callbacks/{segment(callback)}/secret", {}, NewCallback)


def remove(connection: Connection, callback: str) -> None:
    connection.portal.delete(f"callbacks/{segment(callback)}")


def ping(connection: Connection, callback: str) -> Record:
    """Send a test message; the delivery."""
    return connection.portal.post(f"callbacks/{segment(callback)}/ping", {}, Record)


def deliveries(connection: Connection, callback: str) -> list[Record]:
    """The last messages, newest first, with what became of them."""
    return connection.portal.get(f"callbacks/{segment(callback)}/deliveries", list[Record])


def redeliver(connection: Connection, callback: str, delivery: str) -> Record:
    return connection.portal.post(f"callbacks/{segment(callback)}/deliveries/{segment(delivery)}/redeliver", {}, Record)
