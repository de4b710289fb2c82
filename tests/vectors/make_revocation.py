"""Makes `revocation.json`: `python -m tests.vectors.make_revocation`. Keys and nonces are fixed: always the same."""

import json
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom.protocol.encoding import b64u, canonical_json
from strongroom.protocol.revocation import (
    Answer,
    Check,
    CheckAnswer,
    CheckRequest,
    encode_request,
    sign_answer,
    text_of_key,
)

FILE = Path(__file__).with_name("revocation.json")
NONCE = b64u(bytes(range(32)))
CHECKS = [Check(key=f"key_{letter * 32}", receipt=letter * 64) for letter in ("a", "b")]
SIGNER, STRANGER = (Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2))


def answer(**changes: Any) -> CheckAnswer:
    said = [
        Answer(key=CHECKS[0].key, receipt=CHECKS[0].receipt, status="active"),
        Answer(key=CHECKS[1].key, receipt=CHECKS[1].receipt, status="revoked", reason="lost", at=1_780_000_000),
    ]
    return CheckAnswer(**({"v": 1, "nonce": NONCE, "answers": said} | changes))


def make() -> dict[str, Any]:
    """The file's content."""
    plain = canonical_json(answer()).decode()
    signed = sign_answer(answer(), SIGNER).decode()
    first, second = answer().answers
    other = Answer(key=CHECKS[0].key, receipt="c" * 64, status="active")

    def refused(name: str, code: str, body: str, *, key: bool = False) -> dict[str, Any]:
        return {"name": name, "code": code, "body": body, "signed": key}

    def changed(**changes: Any) -> str:
        return canonical_json(answer(**changes)).decode()

    return {
        "answer_key": text_of_key(SIGNER.public_key()),
        "request": encode_request(CheckRequest(nonce=NONCE, device="dev_" + "d" * 32, checks=CHECKS)).decode(),
        "answers": [
            {"name": "both", "body": plain, "signed": False, "statuses": ["active", "revoked"]},
            {"name": "both, signed", "body": signed, "signed": True, "statuses": ["active", "revoked"]},
            {"name": "one is left out", "body": changed(answers=[second]), "signed": False, "statuses": ["revoked"]},
            {"name": "none", "body": changed(answers=[]), "signed": False, "statuses": []},
        ],
        "failures": [
            refused("not JSON", "malformed", plain[:-1]),
            refused("an unknown member", "malformed", plain[:-1] + ',"more":1}'),
            refused("an unknown status", "malformed", plain.replace('"active"', '"good"')),
            refused("another version", "malformed", changed(v=2)),
            refused("another nonce", "nonce-mismatch", changed(nonce=b64u(bytes(32)))),
            refused("another receipt", "receipt-mismatch", changed(answers=[other])),
            refused("twice on the same", "receipt-mismatch", changed(answers=[first, second, first])),
            refused("a reason that is too long", "malformed", plain.replace("lost", "l" * 201)),
            refused("a reason of two lines", "malformed", plain.replace("lost", "l\\nt")),
            refused("no signature", "statement-malformed", plain, key=True),
            refused("a stranger's signature", "signature-invalid", sign_answer(answer(), STRANGER).decode(), key=True),
            refused("an altered signature", "signature-invalid", signed[:-20] + "A" + signed[-19:], key=True),
            refused("signed without need", "malformed", signed),
        ],
    }


if __name__ == "__main__":
    FILE.write_text(json.dumps(make(), indent=2) + "\n")
