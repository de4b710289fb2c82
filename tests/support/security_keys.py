"""A FIDO2 security key in software, with the browser in front of it: every member of what it signs can be spoiled."""

import hashlib
import json
import os
from dataclasses import dataclass, field
from typing import Any

import msgspec
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from strongroom.protocol import access
from strongroom.protocol.action_table import OfficerClass, OfficerEnrolment
from strongroom.protocol.encoding import b64u, canonical_json
from strongroom.protocol.security_keys import SecurityKey, SecurityKeyApproval, read_approval

ORIGIN, RP_ID = "http://localhost:8000", "localhost"
PRESENT_AND_VERIFIED = 0x05


@dataclass
class SoftwareKey:
    """One credential of a security key, an officer's or an editor's; `counter` is that of its last signature."""

    name: str
    private: ec.EllipticCurvePrivateKey | Ed25519PrivateKey = field(
        default_factory=lambda: ec.generate_private_key(ec.SECP256R1())
    )
    identifier: bytes = field(default_factory=lambda: os.urandom(32))
    counter: int = 0
    origin: str = ORIGIN

    @property
    def public(self) -> bytes:
        return self.private.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)

    @property
    def credential(self) -> SecurityKey:
        return SecurityKey(id=b64u(self.identifier), public_key=b64u(self.public), rp_id=RP_ID, origin=self.origin)

    def enrolment(self, officer_class: OfficerClass = "partition") -> OfficerEnrolment:
        return OfficerEnrolment(name=self.name, officer_class=officer_class, credential=self.credential, sealing_key="")

    def client_data(self, type_: str, digest: bytes, **changes: Any) -> bytes:
        said = {"type": type_, "challenge": b64u(digest), "origin": self.origin, "crossOrigin": False}
        return json.dumps(said | changes).encode()

    def authenticator_data(self, *, rp_id: str = RP_ID, flags: int = PRESENT_AND_VERIFIED, counter: int = -1) -> bytes:
        if counter < 0:
            self.counter += 1
            counter = self.counter
        return hashlib.sha256(rp_id.encode()).digest() + bytes([flags]) + counter.to_bytes(4)

    def sign(self, signed: bytes) -> bytes:
        if isinstance(self.private, Ed25519PrivateKey):
            return self.private.sign(signed)
        return self.private.sign(signed, ec.ECDSA(SHA256()))

    def decline(self, action: bytes, reason: str) -> str:
        """A refusal: an assertion over another challenge than an approval's."""
        digest = hashlib.sha256(b"strongroom.decline\0" + hashlib.sha256(action).digest() + reason.encode()).digest()
        approval = read_approval(self.approve(action, said={"challenge": b64u(digest)}))
        return canonical_json(msgspec.structs.replace(approval, decision="decline", reason=reason)).decode()

    def approve(self, action: bytes, *, said: dict[str, Any] | None = None, more: bytes = b"", **data: Any) -> str:
        """An assertion over the action's digest. `said` spoils the client data, `data` and `more` the key's own."""
        given = self.give(hashlib.sha256(action).digest(), said=said, more=more, **data)
        return canonical_json(SecurityKeyApproval(key=self.credential.fingerprint, **given)).decode()

    def give(
        self, challenge: bytes, *, said: dict[str, Any] | None = None, more: bytes = b"", **data: Any
    ) -> dict[str, str]:
        """An assertion over a challenge, each part in base64url, spoiled as by `approve`."""
        client_data = self.client_data("webauthn.get", challenge, **(said or {}))
        authenticator_data = self.authenticator_data(**data) + more
        return {
            "authenticator_data": b64u(authenticator_data),
            "client_data": b64u(client_data),
            "signature": b64u(self.sign(authenticator_data + hashlib.sha256(client_data).digest())),
        }

    # --- access lists ---

    def editor(self, label: str = "") -> access.Editor:
        return access.Editor(key=self.credential, label=label)

    def edit(self, document: str, principals: list[access.Principal], **spoiled: Any) -> str:
        """The list with these principals that follows `document`, signed by this key; `spoiled` as for `give`."""
        return self.sign_list(document, access.sequel(document, principals), **spoiled)

    def sign_list(self, document: str, payload: bytes, **spoiled: Any) -> str:
        """Whatever list `payload` says, signed by this key to follow `document`."""
        given = self.give(access.edit_challenge(payload), **spoiled)
        return access.edited_document(document, payload, key=self.credential.fingerprint, **given)
