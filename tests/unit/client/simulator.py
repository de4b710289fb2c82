"""A provider and a manufacturer that answer over HTTP with keys of their own, and that can be told to lie.

Everything they sign they sign truly; a *lie* changes a statement before it is signed, a *forgery* signs it with another
key. The client under test is the real one: only the network between is taken away.
"""

import io
import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs

import httpx
import msgspec
from authorities import PROVIDER, WORLD
from simulated_device import SimulatedDevice

from strongroom.client.evidence import Subject
from strongroom.protocol import jws
from strongroom.protocol.credentials import public_credential
from strongroom.protocol.encoding import canonical_json, digest
from strongroom.protocol.errors import CATALOGUE, Refused
from strongroom.protocol.statements import (
    Endorsement,
    KeyStatus,
    ValidationStatement,
)
from strongroom.protocol.suites import AnyPrivateKey


@dataclass
class Simulator(SimulatedDevice):
    """Manufacturer, portal and device in one WSGI application."""

    def vouch(self, validator: str, subject: Subject, nonce: str, key_id: str) -> ValidationStatement:
        key, device = self._known(subject, key_id)
        status: KeyStatus = "in-force" if key else "unknown"
        return ValidationStatement(
            validator=validator,
            subject=subject,
            key_id=key_id,
            public_key_digest=digest(key.public().raw) if key else "",
            device=device,
            device_status=status,
            provider=PROVIDER,
            status=status,
            not_before=None,
            not_after=None,
            nonce=nonce,
            issued_at=int(time.time()),
            expires_at=int(time.time()) + 300,
            first_seen=int(time.time()) - 1000 if validator in self.third_parties else None,
        )

    def _known(self, subject: Subject, key_id: str) -> tuple[AnyPrivateKey | None, str]:
        """The key of this id, and its device: none for the engine's."""
        if subject == "provider-key":
            for keys, device in ((self.provider_keys, self.device_id), (self.engine_keys, "")):
                for key in keys.values():
                    if key.public().key_id("pk_") == key_id:
                        return key, device
        elif self.vendor_key.public().key_id("vk_") == key_id:
            return self.vendor_key, self.device_id
        elif key_id in self.listed and key_id in self.single_use:
            return self.single_use[key_id], self.device_id
        return None, ""

    # --- HTTP ---

    def transport(self) -> httpx.WSGITransport:
        return httpx.WSGITransport(app=self)

    def __call__(self, environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        method, path = environ["REQUEST_METHOD"], environ["PATH_INFO"].removeprefix("/api/v1")
        raw = environ.get("wsgi.input", io.BytesIO()).read()
        body = json.loads(raw) if raw else {}
        query = {name: values[0] for name, values in parse_qs(environ.get("QUERY_STRING", "")).items()}
        self.host = environ["SERVER_NAME"]
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
                return self._published()
            case "POST", ["v1", "vendor-keys"]:
                self.listed.add(jws.read_unverified(body["endorsement"], Endorsement).key_id)
                return {"status": "in-force"}
            case "POST", ["v1", "validation"] if self.host in self.third_parties:
                says = self.vouch(self.host, body["subject"], body["nonce"], body["key_id"])
                says = self.lies.get("third-party", lambda same: same)(says)
                return {"statement": jws.sign(says, self.third_parties[self.host])}
            case "POST", ["v1", "validation"]:
                says = self.vouch("manufacturer", "vendor-key", body["nonce"], body["key_id"])
                return {"statement": self.sign(says, "manufacturer", self.statement)}
            case "POST", ["validation"]:
                says = self.vouch(PROVIDER, "provider-key", body["nonce"], body["key_id"])
                says = self.lies.get("provider", lambda same: same)(says)
                return {"statement": jws.sign(says, self.validation_key)}
            case "POST", ["partitions", _, "single-use-keys"]:
                return {"endorsement": self._make_single_use(body)}
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

    def _published(self) -> dict[str, Any]:
        keys = {
            "vendor_keys": [self.endorse("vendor-key", self.vendor_key)],
            "provider_keys": [self.endorse("provider-key", key) for key in self.provider_keys.values()],
        }
        engine = [
            {
                "key_id": key.public().key_id("pk_"),
                "suite": suite,
                "public_key": key.public().text,
                "status": self.engine_status,
                "not_before": None,
                "not_after": None,
            }
            for suite, key in self.engine_keys.items()
        ]
        devices = [{"device": self.device_id} | keys]
        answer = {"provider": PROVIDER, "world": WORLD, "devices": devices, "engine_keys": engine}
        return self.lies.get("published", lambda same: same)(answer)  # type: ignore[no-any-return]


def validation_jwk(simulator: Simulator) -> bytes:
    return msgspec.json.encode(public_credential(simulator.validation_key))
