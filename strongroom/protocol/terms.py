"""Terms: what the customer seals beside its key. The provider can neither read nor change them."""

import secrets
from collections.abc import Collection
from typing import Literal

import msgspec

from strongroom.protocol import certificate_status, revocation
from strongroom.protocol.certificate_status import CertificateStatus
from strongroom.protocol.encoding import b64u, canonical_json, digest, read_json
from strongroom.protocol.errors import Refused
from strongroom.protocol.mechanisms import PUBLIC_USAGES, SYMMETRIC, KeyType, Mechanism, Usage, fits, with_implied
from strongroom.protocol.revocation import Revocation

Authorisation = Literal["signed", "token"]
ANY_TARGET = "*"
MADE_SIZES: dict[KeyType, Collection[int]] = {KeyType.RSA: (2048, 3072, 4096), KeyType.HMAC: range(16, 1025)}
"""Bits, or bytes, of a key that the device makes: of types that have several."""
_LATER = frozenset({"revocation", "certificate_status", "size"})


class Terms(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """Version 1 of the terms. Times are unix seconds. A term that this device does not know is refused at import.

    `salt` (128 random bits) keeps the digest of the terms, which the provider sees, from being guessed at.
    `translate_to` names keys of the same partition by id or name, or holds `"*"`. No `mechanisms`: every fitting one.
    `material` `public`: a SubjectPublicKeyInfo without its private half. `certificates`: the key's own certificate and
    its chain, each DER in base64url; the device checks that they belong to the key. `revocation`: the customer's
    endpoint that says whether the key may be used. `certificate_status`: how the device asks about the key's own
    certificate; it does also where the terms say nothing and the certificate names an address (`asked_of`).
    `size`: only of a key that the device makes, bits of RSA or bytes of HMAC.
    """

    v: Literal[1] = 1
    salt: str
    key_type: KeyType
    usages: list[Usage]
    authorisation: Authorisation = "signed"
    mechanisms: list[Mechanism] = []
    not_before: int | None = None
    not_after: int | None = None
    translate_to: list[str] = []
    material: Literal["secret", "public"] = "secret"
    certificates: list[str] = []
    revocation: Revocation | None = None
    certificate_status: CertificateStatus | None = None
    size: int | None = None

    def encode(self) -> bytes:
        """Canonical JSON. Members that came later are left out where they say nothing: older devices read it too."""
        members = msgspec.structs.asdict(self)
        return canonical_json({name: members[name] for name in members if name not in _LATER or members[name]})

    def state_at(self, now: int) -> Literal["pre-activation", "active", "deactivated"]:
        """Where in its cryptoperiod a key under these terms is (SP 800-57 part 1, §7)."""
        if self.not_before is not None and now < self.not_before:
            return "pre-activation"
        if self.not_after is not None and now >= self.not_after:
            return "deactivated"
        return "active"


def new_salt() -> str:
    return b64u(secrets.token_bytes(16))


def read_terms(data: bytes) -> Terms:
    """Decode and check terms. Raises `Refused("terms-refused")` for the unknown and the contradictory."""
    terms = read_json(data, Terms, "terms-refused")
    check_terms(terms)
    return terms


def check_terms(terms: Terms) -> None:
    """Raise `Refused("terms-refused")` where the terms contradict themselves."""
    if len(terms.salt) < 22:
        raise Refused("terms-refused", "the salt is too short")
    if not terms.usages or len(set(terms.usages)) != len(terms.usages):
        raise Refused("terms-refused", "usages must be named, each once")
    for usage in terms.usages:
        if not any(fits(one, terms.key_type, usage) for one in terms.mechanisms or list(Mechanism)):
            raise Refused("terms-refused", f"no permitted mechanism of {terms.key_type} can {usage}")
    for mechanism in terms.mechanisms:
        if not any(fits(mechanism, terms.key_type, usage) for usage in terms.usages):
            raise Refused("terms-refused", f"{mechanism} serves none of the usages")
    if terms.not_before is not None and terms.not_after is not None and terms.not_before >= terms.not_after:
        raise Refused("terms-refused", "the validity ends before it begins")
    if terms.material == "public" and (terms.key_type in SYMMETRIC or not set(terms.usages) <= PUBLIC_USAGES):
        raise Refused("terms-refused", "a public key can verify, encrypt or hash, and nothing else")
    if terms.size is not None and terms.size not in MADE_SIZES.get(terms.key_type, ()):
        raise Refused("terms-refused", "no key of that type and size is made")
    if terms.certificates and terms.key_type in SYMMETRIC:
        raise Refused("terms-refused", "a symmetric key has no certificate")
    if terms.translate_to and Usage.TRANSLATE not in terms.usages:
        raise Refused("terms-refused", "targets are named but translate is not a usage")
    _check_who_may_revoke(terms)


def _check_who_may_revoke(terms: Terms) -> None:
    if terms.revocation is not None:
        revocation.check_revocation(terms.revocation)
        if terms.not_before is not None:
            check_sealed_at(terms, terms.not_before)
    certificate_status.asked_of(terms.certificate_status, terms.certificates)


def check_sealed_at(terms: Terms, moment: int) -> None:
    """Raise `Refused("terms-refused")` where one answer would outlast the whole validity of a key sealed at `moment`.

    Asked when a key is sealed and imported: terms that are in force do not come to contradict themselves with time.
    """
    if terms.revocation is None or terms.not_after is None:
        return
    if terms.revocation.every > terms.not_after - max(moment, terms.not_before or 0):
        raise Refused("terms-refused", "the revocation interval is longer than the validity")


def is_watched(terms: Terms) -> bool:
    """Whether somebody has to be asked if the key may be used."""
    asked = certificate_status.asked_of(terms.certificate_status, terms.certificates)
    return terms.revocation is not None or asked is not None


def check_not_looser(new: Terms, old: Terms) -> None:
    """Raise `Refused("terms-looser")` where `new` permits anything that `old` does not, or is for another key type.

    The detail names the terms: it is for their owner, and whoever may not learn of terms leaves it out.
    """
    fitting = list(Mechanism)
    looser = {
        "key_type": new.key_type != old.key_type,
        "material": new.material != old.material,
        "usages": not set(new.usages) <= with_implied(old.usages),
        "mechanisms": not set(new.mechanisms or fitting) <= set(old.mechanisms or fitting),
        "authorisation": old.authorisation == "signed" and new.authorisation != "signed",
        "not_before": (old.not_before or 0) > (new.not_before or 0),
        "not_after": old.not_after is not None and (new.not_after is None or new.not_after > old.not_after),
        "translate_to": ANY_TARGET not in old.translate_to and not set(new.translate_to) <= set(old.translate_to),
        "revocation": revocation.is_looser(new.revocation, old.revocation),
        "certificate_status": certificate_status.is_looser(new.certificate_status, old.certificate_status),
    }
    named = [term for term, is_looser in looser.items() if is_looser]
    if named:
        raise Refused("terms-looser", ", ".join(named))


def terms_digest(data: bytes) -> str:
    """SHA-256 of the exact bytes of the terms."""
    return digest(data)
