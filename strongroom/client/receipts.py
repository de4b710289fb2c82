"""Receipts: checked against what was sent, kept, and looked up by whoever wants to use a key."""

from dataclasses import dataclass
from pathlib import Path

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_public_key

from strongroom.client.connection import Connection
from strongroom.client.files import write_private
from strongroom.client.home import Home
from strongroom.client.http import segment
from strongroom.protocol import jws
from strongroom.protocol.certificates import Mode, verify_statement
from strongroom.protocol.encoding import read_json
from strongroom.protocol.envelope import ImportHeader, header_digest
from strongroom.protocol.errors import Refused
from strongroom.protocol.mechanisms import KeyType
from strongroom.protocol.statements import Receipt

_HEADER_FIELDS = ("import_id", "tenant", "partition", "owner", "device", "name", "terms_digest")


class Sent(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What was sent for an import, as far as it is no secret: kept so that its receipt can be checked at any time."""

    header: str
    key_type: KeyType
    public_key: str
    check_value: str


class _ReceiptAnswer(msgspec.Struct, frozen=True):
    receipt: str


@dataclass(frozen=True)
class Checked:
    """A receipt that a certified device signed. `compared`: it also is for exactly what this folder sent."""

    receipt: Receipt
    mode: Mode
    compared: bool


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
    if receipt.version < 1 or not receipt.key_id:
        raise Refused("receipt-mismatch", "it names no key, or no version of one")
    # 3. It is for this key.
    if receipt.key_type != sent.key_type or not _same_public_key(receipt.public_key, sent.public_key):
        raise Refused("receipt-mismatch", "the public key is not that of the key that was sent")
    if receipt.check_value.lower() != sent.check_value:
        raise Refused("receipt-mismatch", "the check value is not that of the key that was sent")
    return Checked(receipt, certified.mode, compared=True)


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


def keep_sent(home: Home, name: str, sent: Sent) -> None:
    write_private(_sent_path(home, name), msgspec.json.encode(sent))


def was_sent(home: Home, name: str) -> bool:
    return _sent_path(home, name).exists()


def sent_header(home: Home, name: str) -> ImportHeader:
    """The header of what was sent for `name`. Raises `Refused("not-found")` where nothing was."""
    if not was_sent(home, name):
        raise Refused("not-found", f"nothing was sent from here for {name!r}")
    return jws.read_unverified(_read_sent(home, name).header, ImportHeader)


def claimed_name(token: str) -> str:
    """The key's name that a receipt states, not verified: good for finding what was sent under it."""
    return jws.read_unverified(token, Receipt).name


def verify_kept(home: Home, name: str, now: int) -> Checked:
    """Check a kept receipt again, offline. Raises `Refused("not-found")` where there is none, else as `check`."""
    token = home.kept("receipts", name)
    if not token:
        raise Refused("not-found", f"no receipt of {name!r} is kept here")
    return verify_token(home, token, name, now)


def verify_token(home: Home, token: str, name: str, now: int) -> Checked:
    """Check a receipt offline: against what was sent for `name` where this folder sent it, else by its signature."""
    if was_sent(home, name):
        return check(token, _read_sent(home, name), home.manufacturer_roots(), now)
    return check_signed(token, home, now)


def find(connection: Connection, reference: str, now: int) -> Receipt:
    """The verified receipt of a key of the partition in use, by name or key id: kept here, or else the portal's.

    The name is thus bound to the key by the device's signature, not by what the portal says.
    """
    home = connection.home
    # 1. Kept here.
    folder = home.path / "receipts"
    for path in sorted(folder.glob("*.jws")):
        said = jws.read_unverified(path.read_text().strip(), Receipt)
        if said.partition == home.partition() and reference in (said.name, said.key_id):
            return verify_kept(home, path.stem, now).receipt
    # 2. The portal's copy.
    token = connection.portal.get(f"keys/{segment(reference)}/receipt", _ReceiptAnswer).receipt
    receipt = check_signed(token, home, now).receipt
    if reference not in (receipt.name, receipt.key_id):
        raise Refused("receipt-mismatch", "the portal gave the receipt of another key")
    return receipt


def _read_sent(home: Home, name: str) -> Sent:
    return read_json(_sent_path(home, name).read_bytes(), Sent, "configuration")


def _sent_path(home: Home, name: str) -> Path:
    return home.path / "receipts" / f"{name}.json"
