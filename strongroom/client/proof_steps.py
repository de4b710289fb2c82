"""The steps by which evidence of a key is checked: each repeats, offline, what device, officers or owner once did."""

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Literal

import msgspec
from cryptography import x509

from strongroom.client.approvals import count_again, texts
from strongroom.client.dossier import PROVIDER, THIRD_PARTY, Anchors, Dossier, Evidence, judge
from strongroom.client.lists import check_lists
from strongroom.client.provided import Provided
from strongroom.client.routes import Route
from strongroom.protocol import jws
from strongroom.protocol.access import access_list_digest, partition_id
from strongroom.protocol.action_table import DefinePartition
from strongroom.protocol.certificates import Mode, verify_statement
from strongroom.protocol.credentials import PublicCredential
from strongroom.protocol.envelope import ORIGIN_EVENTS, ImportHeader, header_digest
from strongroom.protocol.errors import Refused
from strongroom.protocol.log import ADMIN_LANE, Entry, check_lane
from strongroom.protocol.statements import Attestation, Checkpoint, Receipt

_HEADER_FIELDS = ("import_id", "tenant", "partition", "owner", "device", "name", "version", "terms_digest")


class Proof(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """The file. The credentials of the provider and of third parties are those that the owner's folder trusted.

    `only_admin`: the lanes of operations were left out.
    """

    v: Literal[1]
    only_admin: bool
    receipt: str
    header: str
    dossier: Dossier
    provider: str
    provider_validation: PublicCredential
    third_parties: dict[str, PublicCredential]
    checkpoint: str
    lanes: dict[str, list[bytes]]


@dataclass
class Case:
    """What earlier steps found, for the later ones. Unverified until the step that says so."""

    proof: Proof | Provided
    roots: list[x509.Certificate]
    mode: Mode | None = None
    admin: list[Entry] = field(default_factory=list)
    others: list[Entry] = field(default_factory=list)
    owner: PublicCredential | None = None
    access: str = ""
    as_of: int = 0
    left_out: list[str] = field(default_factory=list)
    anchors: dict[str, PublicCredential] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.receipt = jws.read_unverified(self.proof.receipt, Receipt)
        self.header = jws.read_unverified(self.proof.header, ImportHeader)


def _check_receipt(case: Case) -> str:
    said = case.receipt
    _, certified = verify_statement(case.proof.receipt, Receipt, case.roots, "device", said.imported_at)
    if said.device != certified.device_id:
        raise Refused("receipt-mismatch", "it names another device than the one that signed it")
    case.mode = certified.mode
    return f"{said.name} version {said.version} ({said.key_type}) in {said.device}, certified for {certified.mode}"


def _check_header(case: Case) -> str:
    if header_digest(case.proof.header) != case.receipt.header_digest:
        raise Refused("receipt-mismatch", "the header is not the one that the receipt is for")
    for name in _HEADER_FIELDS:
        if getattr(case.header, name) != getattr(case.receipt, name):
            raise Refused("receipt-mismatch", f"header and receipt differ in {name}")
    return f"transport {case.header.transport}, suite {case.header.suite}, terms {case.header.terms_digest[:16]}…"


def _check_log(case: Case) -> str:
    said = jws.read_unverified(case.proof.checkpoint, Checkpoint)
    checkpoint, certified = verify_statement(case.proof.checkpoint, Checkpoint, case.roots, "device", said.issued_at)
    if (checkpoint.device, checkpoint.partition) != (certified.device_id, case.receipt.partition):
        raise Refused("log-inconsistent", "the checkpoint is of another partition or device")
    if checkpoint.device != case.receipt.device or ADMIN_LANE not in case.proof.lanes:
        raise Refused("log-inconsistent", "the log is another device's, or its administrative lane is missing")
    for lane, raw in case.proof.lanes.items():
        if lane not in checkpoint.lanes:
            raise Refused("log-inconsistent", f"lane {lane}: the checkpoint does not know it")
        entries = check_lane(lane, raw, checkpoint.partition, checkpoint.lanes[lane])
        if lane == ADMIN_LANE:
            case.admin = entries
        else:
            case.others += entries
    left_out = sorted(set(checkpoint.lanes) - set(case.proof.lanes))
    # Only who saved it may leave lanes out, all of operations at once, and the file must say so.
    if left_out and not case.proof.only_admin:
        raise Refused("log-inconsistent", f"lane {left_out[0]} is missing, and the file does not say so")
    if case.proof.only_admin and set(case.proof.lanes) != {ADMIN_LANE}:
        raise Refused("log-inconsistent", "the file says that it holds the administrative lane only, and holds others")
    case.left_out, case.as_of = left_out, checkpoint.issued_at
    rest = f"; left out: {', '.join(left_out)}" if left_out else "; nothing is left out"
    return f"{len(case.admin) + len(case.others)} entries in {len(case.proof.lanes)} lanes{rest}"


def _check_quorum(case: Case) -> str:
    entry = next((one for one in case.admin if one.event == "action:execute"), None)
    if entry is None:
        raise Refused("quorum-not-met", "the log does not say how the partition was defined")
    # 1. The action that was approved, byte for byte, by the officers whom the device names, defines this partition.
    decided = count_again(entry, case.roots)
    opened = decided.action
    if not isinstance(opened.body, DefinePartition):
        raise Refused("action-altered", "the action in the log is not the one that was carried out")
    owner = opened.body.owner
    if partition_id(owner, opened.world, opened.nonce) != case.receipt.partition:
        raise Refused("wrong-partition", "the action defined another partition")
    # 2. For the tenant of the receipt.
    case.owner = owner
    tenant = opened.body.tenant
    if tenant != case.receipt.tenant:
        raise Refused("wrong-tenant", "the partition was defined for another tenant")
    approvers = ", ".join(one.name for one in decided.approvers)
    return f"for {tenant} and owner {owner.fingerprint[:16]}…, approved by {approvers}"


def _check_access(case: Case) -> str:
    if case.owner is None:
        raise Refused("not-the-owner")
    # 1. Every list since the partition was defined follows the one before, under the signature of an owner or editor.
    lists = check_lists(case.admin[: case.receipt.log_position], case.receipt.partition, case.owner)
    last = lists[-1] if lists else None
    owners = last.says.owners if last else [case.owner]
    if case.receipt.owner not in [one.fingerprint for one in owners]:
        raise Refused("not-the-owner", "the receipt names an owner that the partition did not have")
    # 2. The one in force when the key was imported lets the header's signer import.
    case.access = last.document if last else ""
    listed = last.says.principals if last else []
    signer = jws.signer(case.proof.header)
    device = next((one for one in listed if one.principal == f"device:{signer}"), None)
    if device is None or device.credential is None or "import" not in device.rights:
        raise Refused("device-not-listed", "the header's signer had no right to import")
    jws.verify(case.proof.header, ImportHeader, device.credential.public_key())
    case.owner = next(one for one in owners if one.fingerprint == case.receipt.owner)
    by_key = sum(one.by_security_key for one in lists)
    signed = "signed by its owners" + (f", {by_key} of its versions by security keys that they let" if by_key else "")
    return f"version {len(lists)}, {signed}; device {device.label or signer[:16]} signed the header"


def _check_dossier(case: Case) -> str:
    proof = case.proof
    if isinstance(proof, Provided):
        raise Refused("validation-failed", "the provider's part does not say what was validated")
    dossier = proof.dossier
    anchors = Anchors(
        roots=case.roots,
        provider=proof.provider,
        provider_validation=proof.provider_validation,
        third_parties=proof.third_parties,
        required=tuple(dict.fromkeys(one.who for one in dossier.answers)),
        own=case.owner,
        kept=case.access if dossier.access and _same_list(dossier.access.document, case.access) else "",
    )
    evidence = judge(dossier, Route(dossier.transport, dossier.suite), anchors, dossier.saved_at)
    _check_nothing_besides(case, proof, evidence)
    # The header, which the receipt covers, names exactly these answers and keys.
    header, provider_key = case.header, evidence.provider_key
    if header.validations != evidence.validations():
        raise Refused("validation-failed", "the header names other validations than these")
    keys = (evidence.vendor_key.key_id, provider_key.key_id if provider_key else "")
    if (header.vendor_key, header.provider_key, header.transport, header.suite) != (
        *keys,
        dossier.transport,
        dossier.suite,
    ):
        raise Refused("validation-failed", "the header names other keys than those that were validated")
    return ", ".join(f"{one.validator}: {one.subject} {one.status}" for one in evidence.validations())


def _check_nothing_besides(case: Case, proof: Proof, evidence: Evidence) -> None:
    """Raise `Refused("validation-failed")` for anything in the file that no verified statement bears out."""
    dossier = proof.dossier
    if len(evidence.answers) != len(dossier.answers):
        raise Refused("validation-failed", "there is an answer about a key that its validator cannot know of")
    signed = {one.who for one in dossier.answers}
    idle = [name for name in proof.third_parties if THIRD_PARTY + name not in signed]
    if idle:
        raise Refused("validation-failed", f"there is a key of validator {idle[0]!r}, who signed nothing here")
    unused = {
        "partition": dossier.partition != case.receipt.partition,
        "import id": dossier.import_id != (case.header.import_id if evidence.vendor_key.expires_at else ""),
        "provider key": bool(dossier.provider_key) and dossier.transport != "tee",
        "engine key": dossier.engine_key is not None and dossier.transport != "engine",
        "owners": bool(dossier.access and dossier.access.owners),
    }
    for what, wrong in unused.items():
        if wrong:
            raise Refused("validation-failed", f"the {what} in the saved trust is nobody's statement")
    case.anchors = {"provider": proof.provider_validation} if PROVIDER in signed else {}
    case.anchors |= proof.third_parties


def _check_attestation(case: Case) -> str:
    proof = case.proof
    if not isinstance(proof, Provided):
        raise Refused("validation-failed", "only the provider's part has an attestation of later")
    if (proof.key, proof.version) != (case.receipt.key_id, case.receipt.version):
        raise Refused("receipt-mismatch", "the file names another key or version than the receipt")
    said = jws.read_unverified(proof.attestation, Attestation)
    _, certified = verify_statement(proof.attestation, Attestation, case.roots, "device", said.issued_at)
    if not said.device == certified.device_id == case.receipt.device:
        raise Refused("validation-failed", "another device attests")
    if said.partition is None or said.partition.partition != case.receipt.partition:
        raise Refused("validation-failed", "the device attests another partition")
    holders, version = ", ".join(said.partition.devices), said.partition.access_list_version
    return f"software {said.measurement[:16]}…; the partition is in {holders}, under version {version} of its list"


def _same_list(document: str | None, current: str) -> bool:
    return access_list_digest(document or None) == access_list_digest(current or None)


def _check_import(case: Case) -> str:
    position = case.receipt.log_position
    entry = case.admin[position - 1] if 0 < position <= len(case.admin) else None
    wanted = (ORIGIN_EVENTS[case.header.origin], case.receipt.key_id, case.receipt.header_digest)
    if entry is None or (entry.event, entry.key, entry.digest) != wanted:
        raise Refused("log-inconsistent", "the log has no import of this key where the receipt says")
    return f"entry {position} of the administrative lane"


_ENDS = {"key:destroy": "destroyed by its owner", "key:revoke": "revoked, and destroyed with that"}


def _check_since(case: Case) -> str:
    ended = [
        one.event
        for one in case.admin
        if one.event in _ENDS and one.key == case.receipt.key_id and str(case.receipt.version) in texts(one, "versions")
    ]
    state = f"this version was {_ENDS[ended[0]]}" if ended else "this version is not destroyed"
    if case.left_out:
        return f"{state}; its operations were left out of this file"
    # An operation's entry names the key, and not which version of it was used.
    uses = sum(one.key == case.receipt.key_id for one in case.others)
    return f"{state}; {uses} operations with the key, all its versions together"


STEPS: list[tuple[str, Callable[[Case], str]]] = [
    ("The receipt is signed by a device of this manufacturer", _check_receipt),
    ("The header is the one that the receipt is for", _check_header),
    ("The log is whole up to a checkpoint that the device signed", _check_log),
    ("A quorum of officers defined the partition for its owner", _check_quorum),
    ("The owners' access lists let the client device import", _check_access),
    ("Everyone had vouched for the keys before anything was encrypted", _check_dossier),
    ("The import stands in the log where the receipt says", _check_import),
    ("What happened to the key since", _check_since),
]
STEPS_OF_PROVIDER: list[tuple[str, Callable[[Case], str]]] = [
    *STEPS[:5],
    ("The device attested the partition when the file was made", _check_attestation),
    *STEPS[6:],
]
"""Of the provider's part, which cannot say who vouched for the keys before anything was encrypted."""
