"""Signed statements that the page of imports reads: believed only from their signer and of their kind."""

import json
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom.protocol import jws
from strongroom.protocol.access import AccessList
from strongroom.protocol.credentials import public_credential
from strongroom.protocol.encoding import b64u, canonical_json, from_b64u
from tests.support.page_modules import PageModules

pytestmark = pytest.mark.needs("node", "npm")


def test_a_statement_is_believed_only_from_its_signer_and_of_its_kind(modules: PageModules) -> None:
    key, other = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    statement = AccessList(partition="pt_x", version=1, previous="", owners=[public_credential(key)], principals=[])
    token = jws.sign(statement, key)
    header, payload, signature = token.split(".")
    looser = b64u(canonical_json({**json.loads(from_b64u(payload)), "besides": 1}))
    script = """
        const { verify } = await import("./jws.js");
        const kinds = await import("./statements.js");
        return verify(given.token, kinds[given.kind], fromHex(given.key));
    """

    def verify(token: str, signer: Ed25519PrivateKey = key, kind: str = "ACCESS_LIST") -> Any:
        given = {"token": token, "kind": kind, "key": signer.public_key().public_bytes_raw().hex()}
        return modules.run(script, given)

    assert verify(token)["partition"] == "pt_x"
    assert verify(token, other)["refused"] == "signature-invalid"
    assert verify(token, kind="RECEIPT")["refused"] == "statement-malformed"
    assert verify(f"{header}.{looser}.{signature}")["refused"] == "signature-invalid"
    assert verify(f"{header}.{payload}.{signature}=")["refused"] == "statement-malformed"
    unsigned = b64u(canonical_json({"alg": "none", "typ": AccessList.TYP, "kid": public_credential(key).fingerprint}))
    assert verify(f"{unsigned}.{payload}.")["refused"] == "statement-malformed"
