"""Evidence of a key in one file: all that was said of it, signed, for anyone with the manufacturer's root to check.

`save` collects it; `verify` repeats every check without a network and without trusting whoever wrote the file.
"""

import contextlib
from dataclasses import dataclass

import msgspec
from cryptography import x509

from strongroom.client import log, receipts, validators
from strongroom.client.connection import Connection
from strongroom.client.dossier import THIRD_PARTY
from strongroom.client.proof_steps import STEPS, STEPS_OF_PROVIDER, Case, Proof
from strongroom.client.provided import Provided, read_provided
from strongroom.protocol.certificates import Mode
from strongroom.protocol.encoding import read_json
from strongroom.protocol.envelope import header_digest
from strongroom.protocol.errors import Refused
from strongroom.protocol.log import ADMIN_LANE
from strongroom.protocol.statements import Receipt


@dataclass(frozen=True)
class Finding:
    """One step: what was checked, and what was found, or why it does not hold."""

    what: str
    found: str
    holds: bool


@dataclass(frozen=True)
class Verdict:
    """All steps in order, up to the first that does not hold. Nothing else in it is believed unless `holds`.

    `of_provider`: it is the provider's part, which does not say what the owner's machine validated before it encrypted.
    `as_of`: when the device signed the checkpoint. `left_out`: lanes of operations that the file leaves out.
    `fingerprints`: of those besides the manufacturer whose signed word was taken.
    """

    findings: list[Finding]
    of_provider: bool
    receipt: Receipt
    mode: Mode | None
    as_of: int
    left_out: list[str]
    fingerprints: dict[str, str]

    @property
    def holds(self) -> bool:
        return all(one.holds for one in self.findings)


def save(connection: Connection, key: str, now: int, version: int = 0, *, only_admin: bool = False) -> Proof:
    """Collect the evidence of a key that this folder sent. `only_admin`: leave out the lanes of operations.

    Raises `Refused`: `not-found` where this folder did not send it; what `log.fetch` and `receipts.find` do.
    """
    home = connection.home
    receipt = receipts.find(connection, key, now, version)
    sent = receipts.find_sent(home, receipt.name, receipt.version)
    if sent is None or header_digest(sent.header) != receipt.header_digest:
        raise Refused("not-found", "this key was not sent from this folder, so what was validated is not here")
    found = log.fetch(connection, now, only=ADMIN_LANE if only_admin else "")
    dossier = receipts.dossier_of(home, sent)
    asked = {one.who for one in dossier.answers}
    trusted = {name: one for name, one in validators.third_parties(home).items() if THIRD_PARTY + name in asked}
    return Proof(
        v=1,
        only_admin=only_admin,
        receipt=receipts.kept(home, receipt.name, receipt.version),
        header=sent.header,
        dossier=dossier,
        provider=home.config().provider,
        provider_validation=home.provider_validation(),
        third_parties={name: one.credential for name, one in trusted.items()},
        checkpoint=found.token,
        lanes=found.raw,
    )


def read(data: bytes) -> Proof | Provided:
    """An evidence file, if it is written exactly as `save` or the provider gives it.

    Raises `Refused("statement-malformed")`: also for a member that is unknown, missing or there twice.
    """
    with contextlib.suppress(Refused):
        return read_provided(data)
    try:
        proof = read_json(data, Proof, "statement-malformed")
    except Refused as refusal:
        raise Refused(refusal.code, "this is no evidence file of a version that is known here") from None
    if msgspec.json.encode(proof) != data.strip():
        raise Refused("statement-malformed", "the evidence file is not as it was saved: a member is unknown or twice")
    return proof


def verify(proof: Proof | Provided, roots: list[x509.Certificate]) -> Verdict:
    """Check everything that the file says, step by step, up to the first step that does not hold.

    Raises `Refused("statement-malformed")` where receipt or header cannot even be read.
    """
    case, of_provider = Case(proof, roots), isinstance(proof, Provided)
    findings = []
    for what, check in STEPS_OF_PROVIDER if of_provider else STEPS:
        try:
            findings.append(Finding(what, check(case), holds=True))
        except Refused as refusal:
            findings.append(Finding(what, f"{refusal.code}: {refusal.detail or refusal.problem.sentence}", holds=False))
            break
    fingerprints = {name: one.fingerprint for name, one in case.anchors.items()}
    return Verdict(findings, of_provider, case.receipt, case.mode, case.as_of, case.left_out, fingerprints)
