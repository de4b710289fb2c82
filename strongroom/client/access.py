"""The access list of a partition: checked against what this folder knows, changed under the owner's signature."""

from collections.abc import Callable
from dataclasses import dataclass

import msgspec

from strongroom.client.connection import Connection
from strongroom.client.http import segment
from strongroom.protocol import jws
from strongroom.protocol.access import AccessList, Principal, access_list_digest, check_update, device_principal
from strongroom.protocol.credentials import PublicCredential
from strongroom.protocol.errors import Refused

Change = Callable[[list[Principal]], list[Principal]]


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


def in_force(connection: Connection, partition: str) -> InForce:
    """Fetch the list in force, check it, and keep it as the oldest that will be accepted from now on."""
    home = connection.home
    answer = connection.portal.get(f"partitions/{segment(partition)}/access", AccessAnswer)
    current = check_in_force(
        answer, partition=partition, own=home.credential("owner"), kept=home.kept("access", partition)
    )
    if current.document:
        home.keep("access", partition, current.document)
    return current


def update(connection: Connection, change: Change) -> InForce:
    """Sign a new list that follows the one in force, send it, and keep it.

    Raises `Refused`: what `check_in_force` and `check_update` do, and what the device refuses.
    """
    home = connection.home
    partition = home.partition()
    # 1. What is in force, verified.
    current = in_force(connection, partition)
    # 2. The whole new list, under the owner's signature.
    following = AccessList(
        partition=partition,
        version=current.version + 1,
        previous=current.digest,
        owners=current.owners,
        principals=change(current.principals),
    )
    document = jws.sign(following, home.key("owner"))
    # 3. The same check that the device will make.
    check_update(
        document,
        partition=partition,
        owners=current.owners,
        version=current.version,
        current=current.document or None,
    )
    # 4. Send, and keep what was sent.
    connection.portal.put(f"partitions/{segment(partition)}/access", {"document": document}, AccessAnswer)
    home.keep("access", partition, document)
    return InForce(following.version, document, following.owners, following.principals)


def allow(principal: str, rights: list[str], *, credential: PublicCredential | None = None, label: str = "") -> Change:
    """The change that gives `principal` exactly these rights. A device needs its credential.

    Raises `Refused("malformed")` for an unknown right, or a device whose credential is missing or another's.
    """
    if principal.startswith("device:") and (credential is None or device_principal(credential) != principal):
        raise Refused("malformed", f"{principal} needs the public credential that its name is made of")
    fields = {"principal": principal, "rights": rights, "label": label}
    try:
        entry = msgspec.structs.replace(msgspec.convert(fields, Principal), credential=credential)
    except msgspec.ValidationError:
        known = ", ".join(["import", "sign", "verify", "encrypt", "decrypt", "hash", "translate"])
        raise Refused("malformed", f"rights are {known}") from None
    return lambda principals: [*(one for one in principals if one.principal != principal), entry]


def remove(principal: str) -> Change:
    """The change that takes `principal` off the list. Raises `Refused("not-found")` when it is not on it."""

    def change(principals: list[Principal]) -> list[Principal]:
        rest = [one for one in principals if one.principal != principal]
        if len(rest) == len(principals):
            raise Refused("not-found", f"{principal} is not on the access list")
        return rest

    return change
