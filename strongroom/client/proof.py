"""Evidence of a key in one file: all that was said of it, signed, for anyone with the manufacturer's root to check.

`save` collects it; `verify` repeats every check without a network and without trusting whoever wrote the file.
"""

from dataclasses import dataclass

from cryptography import x509

from strongroom.client import log, receipts, validators
from strongroom.client.connection import Connection
from strongroom.client.proof_steps import STEPS, Case, Proof
from strongroom.protocol.certificates import Mode
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
    """All steps in order, up to the first that does not hold. Its receipt and mode are believed only if `holds`."""

    findings: list[Finding]
    receipt: Receipt
    mode: Mode | None

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
    trusted = validators.third_parties(home)
    return Proof(
        saved_at=now,
        receipt=receipts.kept(home, receipt.name, receipt.version),
        header=sent.header,
        dossier=receipts.dossier_of(home, sent),
        provider=home.config().provider,
        provider_validation=home.provider_validation(),
        third_parties={name: one.credential for name, one in trusted.items()},
        checkpoint=found.token,
        lanes=found.raw,
    )


def verify(proof: Proof, roots: list[x509.Certificate]) -> Verdict:
    """Check everything that the file says, step by step, up to the first step that does not hold.

    Raises `Refused("statement-malformed")` where receipt or header cannot even be read.
    """
    case = Case(proof, roots)
    findings = []
    for what, check in STEPS:
        try:
            findings.append(Finding(what, check(case), holds=True))
        except Refused as refusal:
            findings.append(Finding(what, f"{refusal.code}: {refusal.detail or refusal.problem.sentence}", holds=False))
            break
    return Verdict(findings, case.receipt, case.mode)


def fingerprints(proof: Proof) -> dict[str, str]:
    """Whose word was taken besides the manufacturer's: compare these with what you know of them."""
    named = {"provider": proof.provider_validation, **proof.third_parties}
    return {name: one.fingerprint for name, one in named.items()}
