"""A provider and a manufacturer that answer over HTTP with keys of their own, and that can be told to lie.

Everything they sign they sign truly; a *lie* changes a statement before it is signed, a *forgery* signs it with another
key. The client under test is the real one: only the network between is taken away.
"""

import datetime
import io
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

import httpx
import msgspec
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, load_der_private_key
from cryptography.x509.oid import NameOID

from strongroom.client.evidence import Purpose
from strongroom.client.material import read_material
from strongroom.protocol import envelope, jws, log
from strongroom.protocol.access import AccessList, access_list_digest, check_update
from strongroom.protocol.certificates import CertificateProfile, Mode, Role, device_id, to_x5c
from strongroom.protocol.credentials import PublicCredential, public_credential
from strongroom.protocol.encoding import canonical_json, digest, make_id
from strongroom.protocol.errors import CATALOGUE, Refused
from strongroom.protocol.instructions import check_instruction
from strongroom.protocol.sealing import RecipientPrivateKey
from strongroom.protocol.statements import (
    Attestation,
    Checkpoint,
    Endorsement,
    LaneHead,
    PartitionEvidence,
    Receipt,
    ValidationStatement,
)
from strongroom.protocol.terms import read_terms

URL = "http://localhost"
TENANT, PARTITION, PROVIDER = "acme", "pt_acme", "provider"
WORLD = "wd_one"


def certificate(
    key: Ed25519PrivateKey, issuer: "Authority | None", role: Role, mode: Mode = "development"
) -> x509.Certificate:
    """A certificate of the manufacturer's hierarchy; without `issuer` a root."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, role)])
    today = datetime.datetime.now(datetime.UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(issuer.certificate.subject if issuer else name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(today - datetime.timedelta(days=1))
        .not_valid_after(today + datetime.timedelta(days=1))
        .add_extension(CertificateProfile(role, mode).extension(), critical=False)
        .sign(issuer.key if issuer else key, None)
    )


@dataclass
class Authority:
    """A key with its certificate."""

    key: Ed25519PrivateKey
    certificate: x509.Certificate

    @classmethod
    def make(cls, role: Role, issuer: "Authority | None" = None, mode: Mode = "development") -> "Authority":
        key = Ed25519PrivateKey.generate()
        return cls(key, certificate(key, issuer, role, mode))

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(Encoding.PEM)


@dataclass
class Simulator:
    """Manufacturer, portal and device in one WSGI application."""

    root: Authority = field(default_factory=lambda: Authority.make("root"))
    validation_key: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    vendor_key: RecipientPrivateKey = field(default_factory=RecipientPrivateKey.generate)
    provider_key: RecipientPrivateKey = field(default_factory=RecipientPrivateKey.generate)
    owners: list[PublicCredential] = field(default_factory=list)
    document: str | None = None
    version: int = 0
    session: str = "session-1"
    lies: dict[str, Callable[[Any], Any]] = field(default_factory=dict)
    forgeries: dict[str, Authority] = field(default_factory=dict)
    answers: dict[str, Callable[[], dict[str, Any]]] = field(default_factory=dict)
    """Routes (`METHOD path`) that are answered otherwise than they should be."""
    opened: dict[str, tuple[bytes, bytes]] = field(default_factory=dict)
    """What the device unwrapped, by key name: (material, terms)."""
    receipts: dict[str, str] = field(default_factory=dict)
    entries: dict[str, list[bytes]] = field(default_factory=dict)
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

    def endorse(self, purpose: Purpose) -> str:
        prefix, key = ("vk_", self.vendor_key) if purpose == "vendor-key" else ("pk_", self.provider_key)
        public = key.public()
        statement = Endorsement(
            device=self.device_id,
            purpose=purpose,
            key_id=public.key_id(prefix),
            public_key=public.text,
            issued_at=int(time.time()),
        )
        return self.sign(statement, purpose, self.device)

    def vouch(self, subject: Purpose, nonce: str, key_id: str) -> ValidationStatement:
        key = self.vendor_key if subject == "vendor-key" else self.provider_key
        return ValidationStatement(
            validator="manufacturer" if subject == "vendor-key" else PROVIDER,
            subject=subject,
            key_id=key_id,
            public_key_digest=digest(key.public().raw),
            device=self.device_id,
            device_status="in-force",
            provider=PROVIDER,
            status="in-force",
            not_before=None,
            not_after=None,
            nonce=nonce,
            issued_at=int(time.time()),
            expires_at=int(time.time()) + 300,
        )

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
            provider_keys=[self.provider_key.public().key_id("pk_")],
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

    # --- HTTP ---

    def transport(self) -> httpx.WSGITransport:
        return httpx.WSGITransport(app=self)

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"].removeprefix("/api/v1")
        raw = environ.get("wsgi.input", io.BytesIO()).read()
        body = json.loads(raw) if raw else {}
        query = {name: values[0] for name, values in parse_qs(environ.get("QUERY_STRING", "")).items()}
        self.requests.append((method, path, body))
        try:
            status, answer = 200, self._answer(method, path, body, query)
        except Refused as refusal:
            status = CATALOGUE[refusal.code].status
            answer = {"code": refusal.code, "detail": refusal.detail, "status": status}
            if refusal.code == "session-stale":
                answer["session"] = self.session
        kind = "application/json" if status == 200 else "application/problem+json"
        start(f"{status} X", [("Content-Type", kind)])
        return [canonical_json(answer)]

    def _answer(self, method: str, path: str, body: dict[str, Any], query: dict[str, str]) -> Any:
        special = self.answers.get(f"{method} {path}")
        if special:
            return special()
        match (method, path.strip("/").split("/")):
            case "GET", ["trust"]:
                keys = {"vendor_keys": [self.endorse("vendor-key")], "provider_keys": [self.endorse("provider-key")]}
                return {"provider": PROVIDER, "world": WORLD, "devices": [{"device": self.device_id} | keys]}
            case "POST", ["v1", "validation"]:
                says = self.vouch("vendor-key", body["nonce"], body["key_id"])
                return {"statement": self.sign(says, "manufacturer", self.statement)}
            case "POST", ["validation"]:
                says = self.vouch("provider-key", body["nonce"], body["key_id"])
                says = self.lies.get("provider", lambda same: same)(says)
                return {"statement": jws.sign(says, self.validation_key)}
            case "POST", ["partitions", _, "attestation"]:
                return {"attestation": self.attest(body["nonce"])}
            case "GET", ["partitions", _, "access"]:
                return {"version": self.version, "document": self.document or "", "owners": self.owners}
            case "PUT", ["partitions", partition, "access"]:
                return self._update_access(partition, body["document"])
        return self._use(method, path, body, query)

    def _use(self, method: str, path: str, body: dict[str, Any], query: dict[str, str]) -> Any:
        match (method, path.strip("/").split("/")):
            case "POST", ["imports"]:
                return self._import(body)
            case "GET", ["imports", _]:
                raise Refused("not-found")
            case "GET", ["keys", name, "receipt"]:
                if name not in self.receipts:
                    raise Refused("not-found")
                return {"receipt": self.receipts[name]}
            case "GET", ["session"]:
                return {"session": self.session, "device": self.device_id}
            case "POST", ["keys", key, "sign"]:
                return self._sign(key, body)
            case "POST", ["partitions", partition, "checkpoint"]:
                return {"checkpoint": self._checkpoint(partition, body["nonce"])}
            case "GET", ["partitions", _, "log"]:
                return self._log(query)
        raise Refused("not-found", f"{method} {path}")

    # --- what the device does ---

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
        signer = self._listed(jws.signer(sent.header))
        header = envelope.check_header(sent, signer.public_key())
        inner = envelope.strip_provider_layer(sent, header, self.provider_key)
        material, terms = envelope.unwrap(inner, header, self.vendor_key)
        self.opened[header.name] = (material, terms)
        key = read_material(material, read_terms(terms).key_type)
        receipt = Receipt(
            import_id=header.import_id,
            key_id=make_id("key_"),
            name=header.name,
            version=1,
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
        return {"import_id": header.import_id, "status": "complete", "receipt": self.receipts[header.name]}

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


def validation_jwk(simulator: Simulator) -> bytes:
    return msgspec.json.encode(public_credential(simulator.validation_key))
