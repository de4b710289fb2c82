"""The access list in force, as the portal shows it: what must hold before it is believed. No I/O."""

from dataclasses import dataclass, field

import msgspec

from strongroom.protocol import jws
from strongroom.protocol.access import (
    Editor,
    Principal,
    access_list_digest,
    check_document,
    editors_of,
    granted_in,
    read_list,
    signer_of,
)
from strongroom.protocol.credentials import PublicCredential
from strongroom.protocol.errors import Refused


class AccessAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """What the portal says is in force. `document` is empty before the first list."""

    version: int
    document: str | None
    owners: list[PublicCredential] = []


@dataclass(frozen=True)
class InForce:
    """The verified list in force. Version 0: none yet, and only the partition's first owner has a say."""

    version: int
    document: str
    owners: list[PublicCredential]
    principals: list[Principal]
    editors: list[Editor] = field(default_factory=list)

    @property
    def signed_by(self) -> str:
        """Who signed it, in words: an owner or an editor by its fingerprint. Empty before the first list."""
        if not self.document:
            return ""
        signer = signer_of(self.document)
        if signer in self.owner_fingerprints or signer not in [one.key.fingerprint for one in self.editors]:
            return f"owner {signer}"
        label = next(one.label for one in self.editors if one.key.fingerprint == signer)
        return f"security key {signer}" + (f" ({label})" if label else "")

    @property
    def digest(self) -> str:
        return access_list_digest(self.document or None)

    @property
    def owner_fingerprints(self) -> set[str]:
        return {one.fingerprint for one in self.owners}


def check_in_force(answer: AccessAnswer, *, partition: str, own: PublicCredential, kept: str) -> InForce:
    """The list in force, if an owner known to this folder signed it, or a security key that one lets change it.

    It is no older than the `kept` one. Raises `Refused`: `access-list-conflict` for an older or another list of the
    same version, `not-the-owner`, `wrong-partition`, and what `check_document` does.
    """
    last = read_list(kept) if kept else None
    # 1. Nothing older than what was seen before.
    if last and (answer.version < last.version or (answer.version == last.version and answer.document != kept)):
        raise Refused("access-list-conflict", f"version {last.version} was in force before, and this is not its sequel")
    if answer.version == 0:
        if answer.document:
            raise Refused("malformed", "a list without a version")
        return InForce(0, "", [own], [])
    # 2. Signed by an owner who is known, oneself or one whom the kept list names; or by a key on such an owner's list.
    document = answer.document or ""
    known = [own, *(last.owners if last else [])]
    granted = granted_in(document)
    if jws.signer(granted) not in [one.fingerprint for one in known]:
        raise Refused("not-the-owner", "the list in force is signed by an owner that this folder does not know")
    current = check_document(document, known)
    # 3. For this partition, and of the version that is stated.
    if current.partition != partition:
        raise Refused("wrong-partition")
    if current.version != answer.version:
        raise Refused("access-list-conflict", "the list is not of the version that is stated")
    # 4. What an owner let a key do is no older than what an owner was seen to say before.
    if kept:
        seen = granted_in(kept)
        if granted != seen and read_list(granted).version <= read_list(seen).version:
            raise Refused(
                "access-list-conflict", "the list goes by an older list of the owner than was in force before"
            )
    return InForce(current.version, document, current.owners, current.principals, editors_of(current))
