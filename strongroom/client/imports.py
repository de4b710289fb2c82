"""The import: the customer's key goes to the device, and nobody in between can open it (docs/spec/protocol.md)."""

import itertools
import time
from dataclasses import dataclass
from pathlib import Path

import msgspec

from strongroom.client import kept_terms, receipts, trust
from strongroom.client.connection import Connection
from strongroom.client.dossier import Evidence
from strongroom.client.envelopes import SealedKey, check_name, complete_terms, seal
from strongroom.client.http import segment
from strongroom.client.material import Material
from strongroom.client.routes import Route
from strongroom.protocol import jws
from strongroom.protocol.envelope import ImportHeader
from strongroom.protocol.errors import Refused
from strongroom.protocol.statements import Receipt
from strongroom.protocol.terms import Terms

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


def import_key(
    connection: Connection,
    material: Material,
    name: str,
    terms: Terms,
    now: int,
    *,
    route: Route | None = None,
    new_version: bool = False,
    owner_consent: bool = False,
) -> Imported:
    """Bring `material` into the partition in use, under `terms`, as `name`, or as its next version.

    Raises `Refused`: before anything is encrypted what `trust.validate` and `check_terms` do; afterwards what the
    device refuses; `receipt-mismatch` where the receipt is not for what was sent. After `hsm-unreachable` or
    `unavailable` call `resume(name)`.
    """
    # 1. to 3. Checked, validated, sealed.
    sealed, evidence = prepare(
        connection, material, name, terms, now, route=route, new_version=new_version, owner_consent=owner_consent
    )
    # 4. to 6. Kept, sent, and the receipt checked.
    receipt, path = deliver(connection, sealed, now)
    return Imported(receipt, path, evidence)


def prepare(
    connection: Connection,
    material: Material,
    name: str,
    terms: Terms,
    now: int,
    *,
    route: Route | None = None,
    new_version: bool = False,
    owner_consent: bool = False,
    evidence: Evidence | None = None,
) -> tuple[SealedKey, Evidence]:
    """Everything but sending: what would leave this machine, and what was validated before. Raises as `import_key`.

    `evidence`: what was validated a moment ago for the same route, instead of asking everyone again.
    """
    # 1. Name and terms are sound, and the name is free, or is that of the key that gets a new version.
    check_name(name)
    terms = complete_terms(terms, material, now)
    version = 1
    if new_version:
        newest = receipts.fetch(connection, name, now).receipt
        version = 1 + newest.version
        if not owner_consent:
            kept_terms.check_succession(connection.home, terms, newest.terms_digest)
    _check_free(connection, name, version, now)
    # 2. Everyone who can know vouches for the keys that we encrypt to.
    evidence = evidence or trust.validate(connection, now, connection.home.partition(), route)
    # 3. Seal key and terms, first for the device, then for the provider key, and sign the header.
    sealed = seal(
        connection.home,
        material,
        name,
        terms=terms,
        evidence=evidence,
        now=now,
        version=version,
        owner_consent=owner_consent,
    )
    return sealed, evidence


def deliver(connection: Connection, sealed: SealedKey, now: int) -> tuple[Receipt, Path]:
    """Send what was sealed; the verified receipt, and where it is kept. Raises as `import_key` does."""
    home = connection.home
    # 4. Keep what the receipt must say, before anything leaves.
    receipts.keep_sent(home, sealed.sent, sealed.dossier)
    # 5. Send it.
    token = send(connection, sealed)
    # 6. Check the receipt against what was sent, and keep it.
    checked = receipts.check(token, sealed.sent, home.manufacturer_roots(), now)
    return checked.receipt, receipts.keep(home, token)


def send(connection: Connection, sealed: SealedKey) -> str:
    """The receipt's token. Sending the same header again is safe: the device answers with the same receipt."""
    body = {"partition": sealed.partition} | msgspec.structs.asdict(sealed.envelope)
    if sealed.consent:
        body["consent"] = sealed.consent
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


def resume(connection: Connection, name: str, now: int, version: int = 1) -> Receipt:
    """Settle an import whose answer never came: its receipt, checked and kept, if the device took the key.

    Raises `Refused("not-found")` where nothing was sent or the device never got it, the code with which the device
    refused it, or `unavailable` while that is not yet known.
    """
    sent = receipts.find_sent(connection.home, name, version)
    if sent is None:
        raise Refused("not-found", f"nothing was sent from here for {name!r}")
    header = jws.read_unverified(sent.header, ImportHeader)
    answer = connection.portal.get(f"imports/{segment(header.import_id)}", ImportAnswer)
    if answer.status == "failed":
        raise Refused(answer.code or "internal", "the import failed; nothing of it is in the partition")
    if not answer.receipt:
        raise Refused("unavailable", "the import is not settled yet")
    checked = receipts.check(answer.receipt, sent, connection.home.manufacturer_roots(), now)
    receipts.keep(connection.home, answer.receipt)
    return checked.receipt


def _check_free(connection: Connection, name: str, version: int, now: int) -> None:
    """A receipt here means that it is taken; something sent without one: go on only where nothing came of it."""
    if receipts.kept(connection.home, name, version if version > 1 else 0):
        raise Refused("name-taken", f"a receipt of {name!r} is kept here")
    sent = receipts.find_sent(connection.home, name, version)
    if sent is None:
        return
    header = jws.read_unverified(sent.header, ImportHeader)
    try:
        answer = connection.portal.get(f"imports/{segment(header.import_id)}", ImportAnswer)
    except Refused as refusal:
        if refusal.code != "not-found":
            raise
        return
    if answer.status != "failed":
        resume(connection, name, now, version)
        raise Refused("name-taken", f"an earlier import of {name!r} had succeeded; its receipt is kept now")
