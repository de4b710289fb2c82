"""The access list of a partition: checked against what this folder knows, changed under the owner's signature."""

from collections.abc import Callable
from typing import get_args

import msgspec

from strongroom.client.connection import Connection
from strongroom.client.evidence import Signed, check_attestation, new_nonce
from strongroom.client.http import segment
from strongroom.client.in_force import AccessAnswer, InForce, check_in_force
from strongroom.protocol import jws
from strongroom.protocol.access import (
    AccessList,
    Editor,
    Principal,
    Right,
    check_update,
    device_principal,
)
from strongroom.protocol.credentials import PublicCredential
from strongroom.protocol.errors import Refused
from strongroom.protocol.statements import Attestation

Change = Callable[[list[Principal]], list[Principal]]
EditorChange = Callable[[list[Editor]], list[Editor]]
OwnerChange = Callable[[list[PublicCredential]], list[PublicCredential]]


class _AttestationAnswer(msgspec.Struct, frozen=True):
    attestation: str


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


def attested(connection: Connection, known: InForce, partition: str, now: int) -> Signed[Attestation]:
    """The device's word, over a fresh nonce, that the partition is ours and that exactly `known` is in force in it.

    Raises as `check_attestation` does.
    """
    home, nonce = connection.home, new_nonce()
    path = f"partitions/{segment(partition)}/attestation"
    return check_attestation(
        connection.portal.post(path, {"nonce": nonce}, _AttestationAnswer).attestation,
        nonce=nonce,
        partition=partition,
        owner=home.credential("owner").fingerprint,
        known=known,
        roots=home.manufacturer_roots(),
        now=now,
    )


def update(connection: Connection, change: Change, now: int) -> InForce:
    """Put a list in force on which `change` was made to the principals. Raises as `put_in_force` does."""
    return put_in_force(connection, now, principals=change)


def put_in_force(
    connection: Connection,
    now: int,
    *,
    principals: Change | None = None,
    editors: EditorChange | None = None,
    owners: OwnerChange | None = None,
) -> InForce:
    """Sign a new list that follows the one in force, send it, have the device attest to it, and keep it.

    Raises `Refused`: what `check_in_force` and `check_update` do, what the device refuses, and what `attested` does
    where the list did not come into force, whatever the portal says.
    """
    home = connection.home
    partition = home.partition()
    # 1. What is in force, verified.
    current = in_force(connection, partition)
    # 2. The whole new list, under the owner's signature.
    keys = editors(current.editors) if editors else current.editors
    following = AccessList(
        partition=partition,
        version=current.version + 1,
        previous=current.digest,
        owners=owners(current.owners) if owners else current.owners,
        principals=principals(current.principals) if principals else current.principals,
        editors=keys or msgspec.UNSET,
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
    # 4. Send it.
    connection.portal.put(f"partitions/{segment(partition)}/access", {"document": document}, AccessAnswer)
    # 5. The device says that it is in force: a portal that keeps the list to itself would leave a removed one its keys.
    new = InForce(following.version, document, following.owners, following.principals, keys)
    attested(connection, new, partition, now)
    # 6. From here on nothing older is accepted.
    home.keep("access", partition, document)
    return new


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
        known = ", ".join(get_args(Right))
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


def add_owner(owner: PublicCredential) -> OwnerChange:
    """The change that makes `owner` an owner of the partition beside those that it has."""
    return lambda owners: [*(one for one in owners if one.fingerprint != owner.fingerprint), owner]


def remove_owner(fingerprint: str, *, own: PublicCredential) -> OwnerChange:
    """The change that takes the partition from an owner. `own` signs it.

    Raises `Refused`: `not-found` where it is no owner, `conflict` where it is `own`: nobody could then check the list.
    """

    def change(owners: list[PublicCredential]) -> list[PublicCredential]:
        rest = [one for one in owners if one.fingerprint != fingerprint]
        if len(rest) == len(owners):
            raise Refused("not-found", f"{fingerprint} is no owner of the partition")
        if fingerprint == own.fingerprint:
            raise Refused("conflict", "an owner does not remove itself: sign this with another owner's credential")
        return rest

    return change


def add_editor(editor: Editor) -> EditorChange:
    """The change that lets a security key change who is listed, under this label."""
    fingerprint = editor.key.fingerprint
    return lambda editors: [*(one for one in editors if one.key.fingerprint != fingerprint), editor]


def remove_editor(fingerprint: str) -> EditorChange:
    """The change that takes this from a security key. Raises `Refused("not-found")` where it may not."""

    def change(editors: list[Editor]) -> list[Editor]:
        rest = [one for one in editors if one.key.fingerprint != fingerprint]
        if len(rest) == len(editors):
            raise Refused("not-found", f"{fingerprint} is no security key that changes the access list")
        return rest

    return change
