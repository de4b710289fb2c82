"""Sealing: a key and its terms into an envelope, for keys that were validated before. No network."""

import re

import msgspec

from strongroom.client import kept_terms
from strongroom.client.dossier import Dossier, Evidence
from strongroom.client.home import Home
from strongroom.client.material import Material
from strongroom.client.receipts import Sent
from strongroom.protocol import jws
from strongroom.protocol.encoding import make_id
from strongroom.protocol.envelope import Envelope, Wrapping, wrap
from strongroom.protocol.errors import Refused
from strongroom.protocol.mechanisms import PUBLIC_USAGES
from strongroom.protocol.owner_orders import VersionConsent
from strongroom.protocol.terms import Terms, check_sealed_at, check_terms, terms_digest

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_VERSIONED = re.compile(r".*\.v\d+")


class SealedKey(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What leaves this machine for an import, what its receipt must say, what was validated; none of it is secret.

    `consent` is the owner's signed word on looser terms, empty where none was asked for.
    """

    v: int = 1
    partition: str
    envelope: Envelope
    consent: str = ""
    sent: Sent
    dossier: Dossier


def check_name(name: str) -> None:
    """Raise `Refused("malformed")` for a name that the device, or this folder, could not keep apart from others."""
    if not NAME.fullmatch(name):
        raise Refused("malformed", "a key's name has 1 to 64 letters, digits, dots, dashes or underlines")
    if name.startswith("key_") or _VERSIONED.fullmatch(name):
        raise Refused("malformed", "a key's name does not begin with key_, as ids do, or end like a version (.v2)")


def complete_terms(terms: Terms, material: Material, now: int) -> Terms:
    """`terms` with what the material brings: whether it is public, and its certificates; then checked.

    Raises `Refused("terms-refused")`, also for terms that have ended: the device would take the key and never use it.
    """
    if terms.not_after is not None and terms.not_after <= now:
        raise Refused("terms-refused", "not-after is in the past: nobody could ever use the key")
    if terms.key_type != material.key_type:
        raise Refused("terms-refused", f"the terms are for {terms.key_type}, the key is {material.key_type}")
    if material.public_only and not set(terms.usages) <= PUBLIC_USAGES:
        what = ", ".join(sorted(set(terms.usages) - PUBLIC_USAGES))
        raise Refused("terms-refused", f"the file holds a {material.form} alone; to {what} takes the private key")
    complete = msgspec.structs.replace(
        terms,
        material="public" if material.public_only else "secret",
        certificates=material.certificates or terms.certificates,
        size=material.size,
    )
    check_terms(complete)
    check_sealed_at(complete, now)
    return complete


def seal(
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
    """Seal `material` under `terms` (complete) for the keys in `evidence`, and sign the header.

    `owner_consent`: the owner credential, which must be here, also consents to terms looser than those before.
    """
    dossier, encoded = evidence.dossier, terms.encode()
    wrapping = Wrapping(
        import_id=dossier.import_id or make_id("imp_"),
        tenant=home.config().tenant,
        partition=dossier.partition,
        owner=home.credential("owner").fingerprint,
        device=evidence.device,
        vendor_key=evidence.vendor_key.key,
        provider_key=evidence.provider_key.key if evidence.provider_key else None,
        transport=dossier.transport,
        name=name,
        version=version,
        origin=material.origin,
        validations=evidence.validations(),
        created_at=now,
    )
    consent = ""
    if owner_consent:
        given = VersionConsent(
            partition=wrapping.partition,
            import_id=wrapping.import_id,
            name=name,
            version=version,
            terms_digest=terms_digest(encoded),
            issued_at=now,
        )
        consent = jws.sign(given, home.key("owner"))
    kept_terms.keep(home, encoded)
    envelope = wrap(material.secret, encoded, wrapping, home.key("device"))
    sent = Sent(
        header=envelope.header,
        key_type=material.key_type,
        public_key=material.public_key,
        check_value=material.check_value,
        answer_holds=terms.revocation.every if terms.revocation else 0,
    )
    return SealedKey(partition=wrapping.partition, envelope=envelope, consent=consent, sent=sent, dossier=dossier)
