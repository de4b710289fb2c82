"""A device with keys of its own that can be told to lie: what it endorses, attests, imports, signs and logs.

Everything it signs it signs truly; a *lie* changes a statement before it is signed, a *forgery* signs it with another
key.
"""

import functools
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import msgspec
from authorities import PARTITION, WORLD, Authority
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import load_der_private_key

from hsm.making import make_material
from strongroom.client.evidence import Purpose
from strongroom.client.material import read_material
from strongroom.protocol import envelope, jws, log
from strongroom.protocol.access import AccessList, access_list_digest, check_update
from strongroom.protocol.certificates import device_id, to_x5c
from strongroom.protocol.credentials import PublicCredential
from strongroom.protocol.encoding import make_id
from strongroom.protocol.errors import Refused
from strongroom.protocol.instructions import check_instruction
from strongroom.protocol.mechanisms import SYMMETRIC
from strongroom.protocol.statements import (
    Attestation,
    Checkpoint,
    Endorsement,
    LaneHead,
    PartitionEvidence,
    Receipt,
)
from strongroom.protocol.suites import AnyPrivateKey, generate
from strongroom.protocol.terms import read_terms


@dataclass
class SimulatedDevice:
    """The device, and what it and the provider's engine hold."""

    root: Authority = field(default_factory=lambda: Authority.make("root"))
    validation_key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    vendor_key: AnyPrivateKey = field(default_factory=lambda: generate("HPKE-XWING"))
    provider_keys: dict[str, AnyPrivateKey] = field(default_factory=lambda: _one_a_suite("device"))
    engine_keys: dict[str, AnyPrivateKey] = field(default_factory=lambda: _one_a_suite("engine"))
    engine_status: str = "in-force"
    single_use: dict[str, AnyPrivateKey] = field(default_factory=dict)
    listed: set[str] = field(default_factory=set)
    """Single-use keys that were posted to the manufacturer."""
    third_parties: dict[str, Ed25519PrivateKey] = field(default_factory=dict)
    """Third-party validators by name; each answers at https://NAME."""
    owners: list[PublicCredential] = field(default_factory=list)
    document: str | None = None
    version: int = 0
    session: str = "session-1"
    lies: dict[str, Callable[[Any], Any]] = field(default_factory=dict)
    forgeries: dict[str, Authority] = field(default_factory=dict)
    answers: dict[str, Callable[[], Any]] = field(default_factory=dict)
    """Routes (`METHOD path`) that are answered otherwise than they should be."""
    opened: dict[str, tuple[bytes, bytes]] = field(default_factory=dict)
    """What the device unwrapped, by key name: (material, terms)."""
    keys: dict[str, bytes] = field(default_factory=dict)
    receipts: dict[str, str] = field(default_factory=dict)
    entries: dict[str, list[bytes]] = field(default_factory=dict)
    answered: dict[str, dict[str, Any]] = field(default_factory=dict)
    consents: dict[str, str] = field(default_factory=dict)
    requests: list[tuple[str, str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.device = Authority.make("device", self.root)
        self.statement = Authority.make("statement", self.root)
        self.device_id = device_id(self.device.key.public_key())

    # --- signing ---

    def sign(self, statement: jws.Statement, name: str, by: Authority) -> str:
        """`statement` signed by `by`, unless there is a lie or a forgery under `name`."""
        statement = self.lies.get(name, lambda same: same)(statement)
        signer = self.forgeries.get(name, by)
        return jws.sign(statement, signer.key, x5c=to_x5c(signer.certificate))

    def endorse(self, purpose: Purpose, key: AnyPrivateKey, **more: Any) -> str:
        public = key.public()
        statement = Endorsement(
            device=self.device_id,
            purpose=purpose,
            key_id=public.key_id("pk_" if purpose == "provider-key" else "vk_"),
            public_key=public.text,
            suite=public.suite,  # type: ignore[arg-type]
            issued_at=int(time.time()),
            **more,
        )
        return self.sign(statement, purpose, self.device)

    def attest(self, nonce: str) -> str:
        statement = Attestation(
            nonce=nonce,
            device=self.device_id,
            mode="development",
            state="operational",
            world=WORLD,
            officer_epoch=1,
            measurement="m",
            boot_epoch=1,
            vendor_keys=[self.vendor_key.public().key_id("vk_")],
            provider_keys=[key.public().key_id("pk_") for key in self.provider_keys.values()],
            partition=PartitionEvidence(
                partition=PARTITION,
                owners=[one.fingerprint for one in self.owners],
                access_list_version=self.version,
                access_list_digest=access_list_digest(self.document),
                devices=[self.device_id],
                defined_by="d",
            ),
            last_checkpoint="",
            issued_at=int(time.time()),
        )
        return self.sign(statement, "attestation", self.device)

    # --- what the device does ---

    def _make_single_use(self, body: dict[str, Any]) -> str:
        key = generate("RSA-AES-KWP")
        self.single_use[key.public().key_id("vk_")] = key
        return self.endorse(
            "single-use-vendor-key",
            key,
            import_id=body["import_id"],
            partition=PARTITION,
            owner=body["owner"],
            expires_at=int(time.time()) + 3600,
        )

    def _update_access(self, partition: str, document: str) -> dict[str, Any]:
        new = check_update(
            document, partition=partition, owners=self.owners, version=self.version, current=self.document
        )
        self.version, self.document, self.owners = new.version, document, new.owners
        return {"version": self.version, "document": document, "owners": self.owners}

    def _listed(self, fingerprint: str) -> PublicCredential:
        found = jws.read_unverified(self.document or "", AccessList)
        for one in found.principals:
            if one.credential and one.credential.fingerprint == fingerprint:
                return one.credential
        raise Refused("device-not-listed")

    def _import(self, body: dict[str, Any]) -> dict[str, Any]:
        sent = msgspec.convert(
            {name: body[name] for name in ("header", "material", "terms")}, envelope.Envelope, strict=False
        )
        if sent.header in self.answered:
            return self.answered[sent.header]
        signer = self._listed(jws.signer(sent.header))
        header = envelope.check_header(sent, signer.public_key())
        inner = sent
        if header.transport != "channel":
            keys = self.provider_keys if header.transport == "tee" else self.engine_keys
            inner = envelope.strip_provider_layer(sent, header, keys[header.suite])
        vendor = self.single_use.pop(header.vendor_key) if header.suite == "RSA-AES-KWP" else self.vendor_key
        material, terms = envelope.unwrap(inner, header, vendor)
        self.opened[header.name] = (material, terms)
        key_type = read_terms(terms).key_type
        if header.origin == "made":
            material = make_material(read_terms(terms))
        elif header.origin == "kept":
            material = self.keys[header.name]
        self.keys[header.name] = material
        key = read_material(material, key_type, encoding="raw" if key_type in SYMMETRIC else None)
        receipt = Receipt(
            import_id=header.import_id,
            key_id=self._key_id(header),
            name=header.name,
            version=header.version,
            origin=header.origin,
            key_type=key.key_type,
            public_key=key.public_key,
            check_value=key.check_value,
            terms_digest=header.terms_digest,
            header_digest=envelope.header_digest(sent.header),
            tenant=header.tenant,
            partition=header.partition,
            owner=header.owner,
            device=self.device_id,
            log_position=1,
            imported_at=int(time.time()),
        )
        self.receipts[header.name] = self.sign(receipt, "receipt", self.device)
        self.consents[header.name] = body.get("consent", "")
        answer = {"import_id": header.import_id, "status": "complete", "receipt": self.receipts[header.name]}
        self.answered[sent.header] = answer
        return answer

    def _key_id(self, header: envelope.ImportHeader) -> str:
        """A new id, or that of the key which gets a new version."""
        before = self.receipts.get(header.name)
        said = jws.read_unverified(before, Receipt) if before else None
        if header.version != (said.version + 1 if said else 1):
            raise Refused("conflict" if header.version > 1 else "name-taken")
        return said.key_id if said else make_id("key_")

    def _sign(self, key_id: str, body: dict[str, Any]) -> dict[str, Any]:
        receipt = next(
            one
            for one in (jws.read_unverified(token, Receipt) for token in self.receipts.values())
            if one.key_id == key_id
        )
        payload = msgspec.convert(body["payload"], bytes)
        if "instruction" in body:
            signer = self._listed(jws.signer(body["instruction"]))
            instruction = check_instruction(
                body["instruction"],
                signer.public_key(),
                payload=payload,
                partition=PARTITION,
                key_id=key_id,
                operation="sign",
                device=self.device_id,
            )
            if instruction.session != self.session:
                raise Refused("session-stale")
        private = load_der_private_key(self.opened[receipt.name][0], None)
        assert isinstance(private, ec.EllipticCurvePrivateKey)
        signature = private.sign(payload, ec.ECDSA(hashes.SHA256()))
        return {"result": signature, "key_id": key_id, "version": 1, "mechanism": "ECDSA-SHA256"}

    # --- the log ---

    def record(self, lane: str, event: str) -> None:
        entries = self.entries.setdefault(lane, [])
        entry = log.Entry(partition=PARTITION, lane=lane, n=len(entries) + 1, epoch=1, time=1, event=event)
        entries.append(msgspec.json.encode(entry))

    def _checkpoint(self, partition: str, nonce: str) -> str:
        heads = {lane: log.chain(entries) for lane, entries in self.entries.items()}
        statement = Checkpoint(
            device=self.device_id,
            world=WORLD,
            partition=partition,
            boot_epoch=1,
            lanes={lane: LaneHead(count, head.hex()) for lane, (count, head) in heads.items()},
            nonce=nonce,
            issued_at=int(time.time()),
        )
        return self.sign(statement, "checkpoint", self.device)

    def _log(self, query: dict[str, str]) -> dict[str, Any]:
        after, limit = int(query.get("after", "0")), int(query.get("limit", "5000"))
        found = self.entries[query["lane"]][after : after + limit]
        lines = [{"lane": query["lane"], "n": after + n, "entry": entry} for n, entry in enumerate(found, start=1)]
        return {"lanes": sorted(self.entries), "entries": lines}


@functools.cache
def _rsa(which: str) -> AnyPrivateKey:
    """A key of the slow suite, made once for all tests."""
    return generate("RSA-AES-KWP")


def _one_a_suite(which: str) -> dict[str, AnyPrivateKey]:
    return {"HPKE-XWING": generate("HPKE-XWING"), "RSA-AES-KWP": _rsa(which)}
