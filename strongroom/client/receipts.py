"""Receipts: checked against what was sent, kept, and looked up by whoever wants to use a key.

receipts/NAME.jws      the receipt of the newest version that this folder knows; NAME.vN.jws: of version N
receipts/NAME.json     what was sent for version 1; NAME.vN.json: for version N
dossiers/DIGEST.json   what was validated before it was sent
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from strongroom.client.connection import Connection
from strongroom.client.dossier import Dossier
from strongroom.client.files import write_private
from strongroom.client.home import Home
from strongroom.client.http import segment
from strongroom.client.material import type_of_public_key
from strongroom.protocol import jws
from strongroom.protocol.certificates import Mode, verify_statement
from strongroom.protocol.encoding import canonical_json, digest, read_json
from strongroom.protocol.envelope import ImportHeader, header_digest
from strongroom.protocol.errors import Refused
from strongroom.protocol.mechanisms import SYMMETRIC, KeyType
from strongroom.protocol.statements import Receipt

_CHECK_VALUE = re.compile(r"[0-9a-f]{6}")
_HEADER_FIELDS = ("import_id", "tenant", "partition", "owner", "device", "name", "version", "terms_digest", "origin")


class Sent(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What was sent for an import, as far as it is no secret: kept so that its receipt can be checked at any time.

    `dossier` is the digest of what was validated before. `answer_holds`: for how many seconds an answer on its
    revocation does, 0 where nobody is asked.
    """

    header: str
    key_type: KeyType
    public_key: str
    check_value: str
    dossier: str = ""
    answer_holds: int = 0


class ReceiptAnswer(msgspec.Struct, frozen=True):
    receipt: str


@dataclass(frozen=True)
class Checked:
    """A receipt that a certified device signed. `compared`: it also is for exactly what this folder sent."""

    receipt: Receipt
    mode: Mode
    compared: bool


# --- Checking --------------------------------------------------------------------------------------------------------


def check(token: str, sent: Sent, roots: list[x509.Certificate], now: int) -> Checked:
    """The receipt, if the header's device signed it and every field is that of what was sent.

    Raises `Refused`: `receipt-mismatch`, `certificate-invalid`, `signature-invalid`, `statement-malformed`.
    """
    # 1. A certified device signed it.
    receipt, certified = verify_statement(token, Receipt, roots, "device", now)
    if receipt.device != certified.device_id:
        raise Refused("receipt-mismatch", "it names another device than the one that signed it")
    # 2. It is for this import: the header's own digest, and each thing that the header names.
    header = jws.read_unverified(sent.header, ImportHeader)
    stated = {name: getattr(header, name) for name in _HEADER_FIELDS} | {"header_digest": header_digest(sent.header)}
    for name, value in stated.items():
        if getattr(receipt, name) != value:
            raise Refused("receipt-mismatch", f"its {name} is not that of what was sent")
    if not receipt.key_id:
        raise Refused("receipt-mismatch", "it names no key")
    # 3. It is for this key, or for one of its type that nobody here has seen.
    if header.origin == "made":
        _check_made(receipt, sent.key_type)
        return Checked(receipt, certified.mode, compared=True)
    if receipt.key_type != sent.key_type or not _same_public_key(receipt.public_key, sent.public_key):
        raise Refused("receipt-mismatch", "the public key is not that of the key that was sent")
    if receipt.check_value.lower() != sent.check_value:
        raise Refused("receipt-mismatch", "the check value is not that of the key that was sent")
    return Checked(receipt, certified.mode, compared=True)


def _check_made(receipt: Receipt, key_type: KeyType) -> None:
    """The receipt names a key of this type: by a public key, or by the check value of a symmetric one."""
    if receipt.key_type != key_type:
        raise Refused("receipt-mismatch", "the key is of another type than was asked for")
    if key_type in SYMMETRIC:
        named = not receipt.public_key and bool(_CHECK_VALUE.fullmatch(receipt.check_value))
    else:
        named = not receipt.check_value and type_of_public_key(receipt.public_key) is key_type
    if not named:
        raise Refused("receipt-mismatch", "it does not name a key of its type")


def _same_public_key(one: str, other: str) -> bool:
    if not one or not other:
        return one == other
    try:
        keys = [load_pem_public_key(text.encode()) for text in (one, other)]
    except ValueError:
        return False
    der = [key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo) for key in keys]
    return der[0] == der[1]


def check_signed(token: str, home: Home, now: int) -> Checked:
    """A receipt of this folder's partition and owner, signed by a certified device. Raises as `check` does."""
    receipt, certified = verify_statement(token, Receipt, home.manufacturer_roots(), "device", now)
    if receipt.device != certified.device_id:
        raise Refused("receipt-mismatch", "it names another device than the one that signed it")
    if (receipt.partition, receipt.owner) != (home.partition(), home.credential("owner").fingerprint):
        raise Refused("receipt-mismatch", "it is of another partition or owner")
    return Checked(receipt, certified.mode, compared=False)


def verify_token(home: Home, token: str, now: int) -> Checked:
    """Check a receipt offline: against what was sent where this folder sent it, else by its signature."""
    said = jws.read_unverified(token, Receipt)
    sent = find_sent(home, said.name, said.version)
    if sent and jws.read_unverified(sent.header, ImportHeader).import_id == said.import_id:
        return check(token, sent, home.manufacturer_roots(), now)
    return check_signed(token, home, now)


def verify_kept(home: Home, name: str, now: int, version: int = 0) -> Checked:
    """Check a kept receipt again, offline. Raises `Refused("not-found")` where there is none, else as `check`."""
    token = kept(home, name, version)
    if not token:
        raise Refused("not-found", f"no receipt of {name!r} is kept here")
    checked = verify_token(home, token, now)
    if checked.receipt.name != name or version not in (0, checked.receipt.version):
        raise Refused("receipt-mismatch", "the file holds another key's or version's receipt")
    return checked


# --- Keeping ---------------------------------------------------------------------------------------------------------


def keep(home: Home, token: str) -> Path:
    """Keep a verified receipt; returns where. One of an older version never takes the newest one's place."""
    said = jws.read_unverified(token, Receipt)
    newest = home.kept("receipts", said.name)
    before = jws.read_unverified(newest, Receipt).version if newest else 0
    if before and before != said.version:
        home.keep("receipts", _stem(said.name, said.version), token)
        home.keep("receipts", _stem(said.name, before), newest)
    if said.version < before:
        return home.path / "receipts" / f"{_stem(said.name, said.version)}.jws"
    return home.keep("receipts", said.name, token)


def kept(home: Home, name: str, version: int = 0) -> str:
    """The kept receipt of a version, or of the newest that is known here; empty where there is none."""
    newest = home.kept("receipts", name)
    if not version or not newest or jws.read_unverified(newest, Receipt).version == version:
        return newest
    return home.kept("receipts", _stem(name, version))


def keep_sent(home: Home, sent: Sent, dossier: Dossier) -> Sent:
    """Keep what was sent, and what was validated before; returns it with the dossier's digest."""
    content = canonical_json(dossier)
    complete = msgspec.structs.replace(sent, dossier=digest(content))
    path = home.path / "dossiers" / f"{complete.dossier}.json"
    if not path.exists():
        write_private(path, content)
    header = jws.read_unverified(sent.header, ImportHeader)
    write_private(_sent_path(home, header.name, header.version), msgspec.json.encode(complete))
    return complete


def find_sent(home: Home, name: str, version: int = 1) -> Sent | None:
    path = _sent_path(home, name, version)
    return read_json(path.read_bytes(), Sent, "configuration") if path.exists() else None


def was_sealed(home: Home, import_id: str) -> bool:
    """Whether this folder made an envelope under this import id."""
    kept = (read_json(path.read_bytes(), Sent, "configuration") for path in (home.path / "receipts").glob("*.json"))
    return any(jws.read_unverified(one.header, ImportHeader).import_id == import_id for one in kept)


def dossier_of(home: Home, sent: Sent) -> Dossier:
    """What was validated before it was sent. Raises `Refused("not-found")` where this folder does not have it."""
    path = home.path / "dossiers" / f"{sent.dossier}.json"
    if not sent.dossier or not path.exists():
        raise Refused("not-found", "what was validated before this import is not kept here")
    return read_json(path.read_bytes(), Dossier, "configuration")


# --- Looking up ------------------------------------------------------------------------------------------------------


def find(connection: Connection, reference: str, now: int, version: int = 0) -> Receipt:
    """The verified receipt of a key of the partition in use, by name or key id: kept here, or else the portal's.

    Version 0 is the newest that is known. The name is thus bound to the key by the device's signature, not by what the
    portal says.
    """
    home = connection.home
    # 1. Kept here.
    for name in _kept_names(home, reference):
        if kept(home, name, version):
            return verify_kept(home, name, now, version).receipt
    # 2. The portal's copy.
    return fetch(connection, reference, now, version).receipt


def fetch(connection: Connection, reference: str, now: int, version: int = 0) -> Checked:
    """The verified receipt of a version (0: the newest) as the portal has it now, kept here from now on."""
    home = connection.home
    which = {"version": version} if version else {}
    token = connection.portal.get(f"keys/{segment(reference)}/receipt", ReceiptAnswer, **which).receipt
    checked = verify_token(home, token, now)
    if reference not in (checked.receipt.name, checked.receipt.key_id) or version not in (0, checked.receipt.version):
        raise Refused("receipt-mismatch", "the portal gave the receipt of another key or version")
    keep(home, token)
    return checked


def _kept_names(home: Home, reference: str) -> Iterator[str]:
    """Names of kept receipts of the partition in use that are meant; not verified."""
    names = [reference] if not reference.startswith("key_") else _all_names(home)
    for name in names:
        token = home.kept("receipts", name) if "/" not in name else ""
        if token:
            said = jws.read_unverified(token, Receipt)
            if said.partition == home.partition() and reference in (said.name, said.key_id):
                yield name


def _all_names(home: Home) -> list[str]:
    return [path.stem for path in sorted((home.path / "receipts").glob("*.jws"))]


def _stem(name: str, version: int) -> str:
    return f"{name}.v{version}"


def _sent_path(home: Home, name: str, version: int) -> Path:
    return home.path / "receipts" / f"{name if version == 1 else _stem(name, version)}.json"
