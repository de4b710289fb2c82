"""The access list in force, as the portal shows it: what must hold before it is believed. No I/O."""

from dataclasses import dataclass

import msgspec

from strongroom.protocol import jws
from strongroom.protocol.access import AccessList, Principal, access_list_digest
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

    @property
    def digest(self) -> str:
        return access_list_digest(self.document or None)

    @property
    def owner_fingerprints(self) -> set[str]:
        return {one.fingerprint for one in self.owners}


def check_in_force(answer: AccessAnswer, *, partition: str, own: PublicCredential, kept: str) -> InForce:
    """The list in force, if an owner known to this folder signed it and it is no older than the `kept` one.

    Raises `Refused`: `access-list-conflict` for an older or another list of the same version, `not-the-owner`,
    `signature-invalid`, `wrong-partition`, `malformed`.
    """
    last = jws.read_unverified(kept, AccessList) if kept else None
    # 1. Nothing older than what was seen before.
    if last and (answer.version < last.version or (answer.version == last.version and answer.document != kept)):
        raise Refused("access-list-conflict", f"version {last.version} was in force before, and this is not its sequel")
    if answer.version == 0:
        if answer.document:
            raise Refused("malformed", "a list without a version")
        return InForce(0, "", [own], [])
    # 2. Signed by an owner who is known: oneself, or one whom the kept list names.
    document = answer.document or ""
    signer = jws.signer(document)
    known = {one.fingerprint: one for one in [own, *(last.owners if last else [])]}
    if signer not in known:
        raise Refused("not-the-owner", "the list in force is signed by an owner that this folder does not know")
    current = jws.verify(document, AccessList, known[signer].public_key())
    # 3. For this partition, and of the version that is stated.
    if current.partition != partition:
        raise Refused("wrong-partition")
    if current.version != answer.version:
        raise Refused("access-list-conflict", "the list is not of the version that is stated")
    return InForce(current.version, document, current.owners, current.principals)
