"""The import: the customer's key goes to the device, and nobody in between can open it (DESIGN §4)."""

import itertools
import re
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from strongroom.client import receipts, trust
from strongroom.client.connection import Connection
from strongroom.client.evidence import Evidence
from strongroom.client.http import segment
from strongroom.client.material import Material
from strongroom.protocol.encoding import make_id
from strongroom.protocol.envelope import Envelope, Wrapping, wrap
from strongroom.protocol.errors import Refused
from strongroom.protocol.statements import Receipt
from strongroom.protocol.terms import Terms, check_terms

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
ATTEMPTS, PAUSE = 5, 2.0
"""How often, and after how many seconds, an import is sent again that the device had no chance to answer."""


class ImportAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What the portal says of an import; only the receipt is evidence."""

    status: str
    receipt: str | None = None
    code: str | None = None


@dataclass(frozen=True)
class Imported:
    """A key that is in the partition: the verified receipt, where it is kept, and what was validated before."""

    receipt: Receipt
    path: Path
    evidence: Evidence


def import_key(connection: Connection, material: Material, name: str, terms: Terms, now: int) -> Imported:
    """Bring `material` into the partition in use, under `terms`, as `name`.

    Raises `Refused`: before anything is encrypted what `trust.validate` and `check_terms` do; afterwards what the
    device refuses; `receipt-mismatch` where the receipt is not for what was sent. After `hsm-unreachable` or
    `unavailable` call `resume(name)`.
    """
    home = connection.home
    # 1. Who we are, and that name and terms are sound.
    config, partition, owner = home.config(), home.partition(), home.credential("owner")
    device_key = home.key("device")
    _check_name(connection, name, now)
    check_terms(terms)
    if terms.key_type != material.key_type:
        raise Refused("terms-refused", f"the terms are for {terms.key_type}, the key is {material.key_type}")
    # 2. Everyone who can know vouches for the keys that we encrypt to.
    evidence = trust.validate(connection, now, partition)
    # 3. Seal key and terms, first for the device, then for the provider key, and sign the header.
    wrapping = Wrapping(
        import_id=make_id("imp_"),
        tenant=config.tenant,
        partition=partition,
        owner=owner.fingerprint,
        device=evidence.device,
        vendor_key=evidence.vendor_key.key,
        provider_key=evidence.provider_key.key,
        name=name,
        validations=evidence.validations(),
        created_at=now,
    )
    envelope = wrap(material.secret, terms.encode(), wrapping, device_key)
    # 4. Keep what the receipt must say, before anything leaves.
    sent = receipts.Sent(
        header=envelope.header,
        key_type=material.key_type,
        public_key=material.public_key,
        check_value=material.check_value,
    )
    receipts.keep_sent(home, name, sent)
    # 5. Send it.
    token = _send(connection, partition, envelope)
    # 6. Check the receipt against what was sent, and keep it.
    checked = receipts.check(token, sent, home.manufacturer_roots(), now)
    return Imported(checked.receipt, home.keep("receipts", name, token), evidence)


def resume(connection: Connection, name: str, now: int) -> Receipt:
    """Settle an import whose answer never came: its receipt, checked and kept, if the device took the key.

    Raises `Refused("not-found")` where nothing was sent or the device never got it, the code with which the device
    refused it, or `unavailable` while that is not yet known.
    """
    home = connection.home
    header = receipts.sent_header(home, name)
    answer = connection.portal.get(f"imports/{segment(header.import_id)}", ImportAnswer)
    if answer.status == "failed":
        raise Refused(answer.code or "internal", "the import failed; nothing of it is in the partition")
    if not answer.receipt:
        raise Refused("unavailable", "the import is not settled yet")
    checked = receipts.verify_token(home, answer.receipt, name, now)
    home.keep("receipts", name, answer.receipt)
    return checked.receipt


def _check_name(connection: Connection, name: str, now: int) -> None:
    if not NAME.fullmatch(name):
        raise Refused("malformed", "a key's name has 1 to 64 letters, digits, dots, dashes or underlines")
    if connection.home.kept("receipts", name):
        raise Refused("name-taken", f"a receipt of {name!r} is kept here")
    if receipts.was_sent(connection.home, name):
        _settle_earlier(connection, name, now)


def _settle_earlier(connection: Connection, name: str, now: int) -> None:
    """An earlier import of this name had no answer: go on only where it is sure that nothing came of it."""
    header = receipts.sent_header(connection.home, name)
    try:
        answer = connection.portal.get(f"imports/{segment(header.import_id)}", ImportAnswer)
    except Refused as refusal:
        if refusal.code != "not-found":
            raise
        return
    if answer.status != "failed":
        resume(connection, name, now)
        raise Refused("name-taken", f"an earlier import of {name!r} had succeeded; its receipt is kept now")


def _send(connection: Connection, partition: str, envelope: Envelope) -> str:
    """The receipt's token. Sending the same header again is safe: the device answers with the same receipt."""
    body = {"partition": partition} | msgspec.structs.asdict(envelope)
    for attempt in itertools.count(1):
        try:
            answer = connection.portal.post("imports", body, ImportAnswer)
            break
        except Refused as refusal:
            if refusal.code not in ("hsm-unreachable", "unavailable") or attempt == ATTEMPTS:
                raise
            time.sleep(PAUSE)
    if not answer.receipt:
        raise Refused(answer.code or "internal", f"the portal says {answer.status} and gives no receipt")
    return answer.receipt
