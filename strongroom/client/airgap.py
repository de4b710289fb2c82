"""Import from a machine without a network: what was validated is carried there, and only an envelope comes back.

The path: `save` on a machine at the network → `wrap` on the one that holds the key, which judges everything again
against its own trust anchors → `submit` at the network again → the receipt, checked on either side.
"""

import time
from pathlib import Path

import msgspec

from strongroom.client import kept_terms, receipts, trust, validators
from strongroom.client.connection import Connection
from strongroom.client.dossier import Dossier, Evidence, judge
from strongroom.client.envelopes import SealedKey, check_name, complete_terms, seal
from strongroom.client.evidence import SKEW
from strongroom.client.home import Home
from strongroom.client.imports import deliver
from strongroom.client.material import Material
from strongroom.client.routes import Route
from strongroom.client.trust import nothing_sealed
from strongroom.protocol import jws
from strongroom.protocol.encoding import canonical_json, read_json
from strongroom.protocol.envelope import ImportHeader, Transport
from strongroom.protocol.errors import Refused
from strongroom.protocol.statements import Receipt
from strongroom.protocol.suites import Suite
from strongroom.protocol.terms import Terms

_SAVE_AGAIN = "save trust again (`strongroom trust save`), and wrap with that"
MAX_AGE = 24 * 3600
"""Seconds for which saved evidence counts unless the owner says otherwise."""


def save(connection: Connection, route: Route, now: int) -> bytes:
    """Validate for `route`, and give the dossier to carry. Raises as `trust.validate` does."""
    return canonical_json(trust.validate(connection, now, connection.home.partition(), route).dossier)


def saved_route(saved: bytes, transport: Transport | None, suite: Suite | None, besides: tuple[str, ...]) -> Route:
    """The route that a saved dossier is for. Raises `Refused("configuration")` where another one is asked for."""
    dossier = _read(saved)
    if transport not in (None, dossier.transport) or suite not in (None, dossier.suite):
        what = f"--transport {dossier.transport} --suite {dossier.suite}"
        raise Refused("configuration", f"trust was saved with {what}: leave both out here, or save trust anew")
    return Route(dossier.transport, dossier.suite, besides)


def _read(saved: bytes) -> Dossier:
    try:
        return read_json(saved, Dossier)
    except Refused as refusal:
        raise Refused(refusal.code, "this is no file that `strongroom trust save` wrote") from None


def open_saved(home: Home, saved: bytes, route: Route, now: int, max_age: int = MAX_AGE) -> Evidence:
    """The evidence in a saved dossier, judged by this folder's own anchors as of when it was saved.

    Here no nonce can be fresh, so age is what bounds a replay. Raises `Refused("stale")` for one that is older than
    `max_age` or from the future, or whose single-use key has expired; else as `judge` does.
    """
    dossier = _read(saved)
    if dossier.partition != home.partition():
        raise Refused("wrong-partition", "the saved trust is for another partition than this folder uses")
    # 1. Young enough. That each answer was fresh when it was saved is for `judge` to say.
    if not now - max_age <= dossier.saved_at <= now + SKEW:
        raise Refused("stale", f"the saved trust is not of the last {max_age} seconds: save it again")
    # 2. Everything that is checked at the network is checked here.
    trusted = validators.anchors(home, dossier.partition, route.validators)
    with nothing_sealed():
        evidence = judge(dossier, route, trusted, dossier.saved_at)
    # 3. A single-use key still serves now.
    if evidence.vendor_key.expires_at is not None and now >= evidence.vendor_key.expires_at:
        raise Refused("stale", "the single-use key in the saved trust has expired: save it again")
    return evidence


def wrap(
    home: Home,
    material: Material,
    name: str,
    *,
    terms: Terms,
    evidence: Evidence,
    now: int,
    version: int = 1,
    owner_consent: bool = False,
) -> SealedKey:
    """Seal a key for the keys in `evidence`, and keep what its receipt must say. Nothing here asks a network."""
    check_name(name)
    terms = complete_terms(terms, material, now)
    if receipts.kept(home, name, version if version > 1 else 0):
        raise Refused("name-taken", f"a receipt of {name!r} is kept here")
    before = receipts.kept(home, name, version - 1) if version > 1 and not owner_consent else ""
    if before:
        kept_terms.check_succession(home, terms, jws.read_unverified(before, Receipt).terms_digest)
    if evidence.vendor_key.expires_at is not None and receipts.was_sealed(home, evidence.dossier.import_id):
        raise Refused("stale", f"the key in this saved trust serves once, and an envelope was made: {_SAVE_AGAIN}")
    sealed = seal(
        home, material, name, terms=terms, evidence=evidence, now=now, version=version, owner_consent=owner_consent
    )
    receipts.keep_sent(home, sealed.sent, sealed.dossier)
    return sealed


def read_envelope(path: Path) -> SealedKey:
    """An envelope that was carried. Raises `Refused("envelope-malformed")`."""
    try:
        return read_json(path.read_bytes(), SealedKey, "envelope-malformed")
    except Refused as refusal:
        raise Refused(refusal.code, f"{path.name} is no envelope that `strongroom wrap` wrote") from None


def write_envelope(sealed: SealedKey) -> bytes:
    return msgspec.json.format(msgspec.json.encode(sealed), indent=1)


def submit(connection: Connection, sealed: SealedKey, now: int | None = None) -> tuple[Receipt, Path]:
    """Send a carried envelope; the verified receipt, and where it is kept. Raises as `imports.import_key` does."""
    Route(sealed.dossier.transport).check(connection.home.config().url)
    if sealed.partition != connection.home.partition():
        raise Refused("wrong-partition", "the envelope is for another partition than this folder uses")
    try:
        return deliver(connection, sealed, int(time.time()) if now is None else now)
    except Refused as refusal:
        if refusal.code == "import-replayed" and sealed.dossier.import_id:
            raise Refused(refusal.code, f"the key in its saved trust has served once: {_SAVE_AGAIN}") from None
        raise


def check_receipt(home: Home, sealed: SealedKey, token: str, now: int) -> receipts.Checked:
    """The receipt, if it is for exactly this envelope, which this folder's device signed. Raises as `receipts.check`.

    A folder that did not seal it can say that the receipt fits the envelope, and not who signed that.
    """
    if jws.signer(sealed.envelope.header) == home.credential("device").fingerprint:
        jws.verify(sealed.envelope.header, ImportHeader, home.credential("device").public_key())
    if sealed.sent.header != sealed.envelope.header:
        raise Refused("receipt-mismatch", "the envelope file is not in itself consistent")
    return receipts.check(token, sealed.sent, home.manufacturer_roots(), now)
