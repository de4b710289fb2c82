"""A partition's access list: who may do what in it. Its owner signs it; the TEE checks and keeps it.

An owner may name security keys in it, editors, that sign changes of who is listed, and of nothing else.
"""

import hashlib
from typing import ClassVar, Literal

import msgspec

from strongroom.protocol import jws
from strongroom.protocol.credentials import PublicCredential
from strongroom.protocol.encoding import b64u, canonical_json, digest, from_b64u, make_id, read_json
from strongroom.protocol.errors import Refused
from strongroom.protocol.owner_orders import check_owner
from strongroom.protocol.security_keys import (
    Fingerprint,
    SecurityKey,
    check_assertion,
    counter_of,
    is_by_security_key,
)

Right = Literal[
    "import", "sign", "verify", "encrypt", "decrypt", "hash", "translate", "derive", "wrap", "unwrap", "rewrap"
]
MAX_PRINCIPALS = 10_000
MAX_EDITORS = 20
CHALLENGE = b"strongroom.access-list\x00"


class Principal(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A client device (`device:` + thumbprint, with its public credential) or an API client (`client:` + its id)."""

    principal: str
    rights: list[Right]
    credential: PublicCredential | None = None
    label: str = ""


class Editor(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A security key that may change who is listed, and a name to recognise it by."""

    key: SecurityKey
    label: str = ""


class AccessList(jws.Statement, frozen=True, kw_only=True):
    """One version of a partition's access list, whole. `previous` is the digest of the list that it replaces.

    Owners stand in the same list, so that an owner may enrol a second owner credential or hand over. Without editors
    the member is left out, as in every list from before there were any (`editors_of`).
    """

    TYP: ClassVar[str] = "strongroom.access-list"

    v: Literal[1] = 1
    partition: str
    version: int
    previous: str
    owners: list[PublicCredential]
    principals: list[Principal]
    editors: list[Editor] | msgspec.UnsetType = msgspec.UNSET


class EditedList(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A list that an editor signed: an assertion by the security key whose fingerprint is `key`.

    `payload` is the list's canonical JSON. `granted` is the newest list that an owner signed, as it was signed: it
    names the key, so that whoever knows an owner can check this without any other list. Parts are in base64url.
    """

    v: Literal[1] = 1
    granted: str
    payload: str
    key: Fingerprint
    authenticator_data: str
    client_data: str
    signature: str


def device_principal(credential: PublicCredential) -> str:
    return f"device:{credential.fingerprint}"


def client_principal(client_id: str) -> str:
    return f"client:{client_id}"


def partition_id(owner: PublicCredential, world: str, nonce: str) -> str:
    """A partition's id: bound to its first owner, its world and the nonce of the action that defined it."""
    return make_id("pt_", owner.fingerprint.encode(), world.encode(), nonce.encode())


def access_list_digest(token: str | None) -> str:
    """SHA-256 of the signed access list exactly as sent; empty before the first."""
    return "" if token is None else digest(token.encode())


def editors_of(listed: AccessList) -> list[Editor]:
    return listed.editors or []


def read_list(document: str) -> AccessList:
    """The list in a document of either form, its signature *not* checked. Raises `Refused("statement-malformed")`."""
    if not is_by_security_key(document):
        return jws.read_unverified(document, AccessList)
    return _payload_of(_read_edited(document))


def signer_of(document: str) -> str:
    """The fingerprint of the owner or editor that the document claims to be signed by, not verified."""
    return _read_edited(document).key if is_by_security_key(document) else jws.signer(document)


def granted_in(document: str) -> str:
    """The newest owner's list of a document: itself, or the one that an editor's carries."""
    return _read_edited(document).granted if is_by_security_key(document) else document


def editor_counters(document: str) -> dict[str, int]:
    """What the counter of the editor that signed it has come to, by its fingerprint; of an owner nothing."""
    if not is_by_security_key(document):
        return {}
    edited = _read_edited(document)
    return {edited.key: counter_of(edited)}


def sequel(document: str, principals: list[Principal]) -> bytes:
    """The canonical JSON of the list with these principals that would follow `document`: what is signed."""
    current = read_list(document)
    following = msgspec.structs.replace(
        current, version=current.version + 1, previous=access_list_digest(document), principals=principals
    )
    return canonical_json(following)


def first_list(partition: str, owners: list[PublicCredential], principals: list[Principal]) -> bytes:
    """The canonical JSON of a partition's first list: what an owner signs."""
    return canonical_json(AccessList(partition=partition, version=1, previous="", owners=owners, principals=principals))


def edit_challenge(payload: bytes) -> bytes:
    """What an editor's key signs for a list: under a label of its own, so that it is no approval of anything else."""
    return hashlib.sha256(CHALLENGE + payload).digest()


def edited_document(document: str, payload: bytes, *, key: str, **assertion: str) -> str:
    """The list `payload` that follows `document`, with the assertion by an editor's `key` over it, as it is sent."""
    fields = {"granted": granted_in(document), "payload": b64u(payload), "key": key, **assertion}
    try:
        return canonical_json(msgspec.convert(fields, EditedList)).decode()
    except msgspec.ValidationError:
        raise Refused("statement-malformed") from None


def check_document(document: str, owners: list[PublicCredential]) -> AccessList:
    """The list, if one of `owners` signed it, or a security key that may change it by a list that one of them signed.

    Raises `Refused`: `not-the-owner`, `not-an-editor`, `beyond-an-editor`, `signature-invalid`,
    `security-key-refused`, `statement-malformed`, `malformed`.
    """
    if not is_by_security_key(document):
        return check_owner(document, AccessList, owners)
    edited = _read_edited(document)
    return _check_edited(edited, check_owner(edited.granted, AccessList, owners))


def check_update(
    token: str, *, partition: str, owners: list[PublicCredential], version: int, current: str | None
) -> AccessList:
    """The new access list, if an owner or an editor in force signed it to follow the `current` one (of `version`).

    Counters of security keys are for the caller (`editor_counters`). Raises `Refused`: `wrong-partition`,
    `access-list-conflict`, and what `check_document` does.
    """
    # 1. An owner in force signed it, or a security key that the newest list of an owner names.
    if is_by_security_key(token):
        edited = _read_edited(token)
        if not current:
            raise Refused("not-an-editor")
        if edited.granted != granted_in(current):
            raise Refused("access-list-conflict", f"version {version} is in force")
        update = _check_edited(edited, jws.read_unverified(edited.granted, AccessList))
    else:
        update = check_owner(token, AccessList, owners)
    # 2. It is for this partition, and follows exactly the list that is in force.
    if update.partition != partition:
        raise Refused("wrong-partition")
    if update.version != version + 1 or update.previous != access_list_digest(current):
        raise Refused("access-list-conflict", f"version {version} is in force")
    # 3. It is sound in itself.
    _check_sound(update)
    return update


def _check_edited(edited: EditedList, granted: AccessList) -> AccessList:
    """The list that an editor signed, if `granted` lets its key change it, and it changes nothing but who is listed."""
    editor = next((one for one in editors_of(granted) if one.key.fingerprint == edited.key), None)
    if editor is None:
        raise Refused("not-an-editor")
    listed = _payload_of(edited)
    check_assertion(edited, editor.key, edit_challenge(from_b64u(edited.payload)), altered="signature-invalid")
    if (listed.partition, listed.owners, editors_of(listed)) != (
        granted.partition,
        granted.owners,
        editors_of(granted),
    ):
        raise Refused("beyond-an-editor")
    if listed.version <= granted.version:
        raise Refused("access-list-conflict", "it does not follow the owner's list that it goes by")
    return listed


def _check_sound(update: AccessList) -> None:
    if not update.owners:
        raise Refused("malformed", "an access list needs an owner")
    names = [one.principal for one in update.principals]
    if len(set(names)) != len(names) or len(names) > MAX_PRINCIPALS:
        raise Refused("malformed", "a principal stands in the list twice, or there are too many")
    for one in update.principals:
        if one.principal.startswith("device:"):
            if one.credential is None or device_principal(one.credential) != one.principal:
                raise Refused("malformed", "a device needs the credential that its name is made of")
        elif not one.principal.startswith("client:") or one.credential is not None:
            raise Refused("malformed", "a principal is a device or a client")
    keys = [one.key.fingerprint for one in editors_of(update)]
    if len(set(keys)) != len(keys) or len(keys) > MAX_EDITORS:
        raise Refused("malformed", "a security key stands in the list twice, or there are too many")


def _read_edited(document: str) -> EditedList:
    edited = read_json(document, EditedList, "statement-malformed")
    # One spelling, as a compact JWS has: white space would change the digest of what was signed.
    if canonical_json(edited) != document.encode():
        raise Refused("statement-malformed", "not canonical JSON")
    return edited


def _payload_of(edited: EditedList) -> AccessList:
    payload = from_b64u(edited.payload, "statement-malformed")
    listed = read_json(payload, AccessList, "statement-malformed")
    if canonical_json(listed) != payload:
        raise Refused("statement-malformed", "not canonical JSON")
    return listed
