"""Reads of the register: devices with the provider that bought them, and vendor keys."""

import sqlite3
from typing import Literal, TypeVar

import msgspec

from strongroom.protocol.certificates import Mode

Status = Literal["in-force", "retired", "revoked"]
STATUSES: tuple[Status, ...] = ("in-force", "retired", "revoked")
"""From best to worst."""

R = TypeVar("R", bound=msgspec.Struct)


class Device(msgspec.Struct, frozen=True, kw_only=True):
    """A line of the provider table: a certified device, and the provider that bought it."""

    device: str
    provider: str
    mode: Mode
    certificate: str
    status: Status
    certified_at: int


class VendorKey(msgspec.Struct, frozen=True, kw_only=True):
    """A listed vendor key, by its raw public bytes, with the endorsement exactly as the device signed it.

    `expires_at` is of a single-use key; a standing key has none.
    """

    key_id: str
    device: str
    public_key: bytes
    endorsement: str
    status: Status
    listed_at: int
    expires_at: int | None


def get_device(register: sqlite3.Connection, device: str) -> Device | None:
    return _one(register.execute("SELECT * FROM devices WHERE device = ?", (device,)), Device)


def all_devices(register: sqlite3.Connection) -> list[Device]:
    return _all(register.execute("SELECT * FROM devices ORDER BY certified_at, device"), Device)


def get_vendor_key(register: sqlite3.Connection, key_id: str) -> VendorKey | None:
    return _one(register.execute("SELECT * FROM vendor_keys WHERE key_id = ?", (key_id,)), VendorKey)


def all_vendor_keys(register: sqlite3.Connection) -> list[VendorKey]:
    return _all(register.execute("SELECT * FROM vendor_keys ORDER BY listed_at, key_id"), VendorKey)


def standing_vendor_keys(register: sqlite3.Connection, device: str | None = None) -> list[VendorKey]:
    """The keys that anyone may seal to: all but single-use keys, of which there is no end; of one device, if given."""
    wanted = "SELECT * FROM vendor_keys WHERE expires_at IS NULL AND (?1 IS NULL OR device = ?1)"
    return _all(register.execute(f"{wanted} ORDER BY listed_at, key_id", (device,)), VendorKey)


def _one(cursor: sqlite3.Cursor, kind: type[R]) -> R | None:
    row = cursor.fetchone()
    return None if row is None else msgspec.convert(dict(row), kind)


def _all(cursor: sqlite3.Cursor, kind: type[R]) -> list[R]:
    return [msgspec.convert(dict(row), kind) for row in cursor]
