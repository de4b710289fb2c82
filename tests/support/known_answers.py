"""Vectors against a running stack: keys are imported as customers import theirs, and used over REST with a token."""

import base64
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from typing import Any

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from strongroom.client import imports, trust
from strongroom.client.material import Material
from strongroom.protocol import jws
from strongroom.protocol.encoding import make_id
from strongroom.protocol.errors import Refused
from strongroom.protocol.mechanisms import PUBLIC_USAGES, REGISTRY, KeyType, Mechanism, Usage
from strongroom.protocol.statements import Receipt
from strongroom.protocol.terms import Terms, new_salt
from tests.support.stack import Tenant

Answer = bytes | bool | str
"""A result, what verify found, or the code of a refusal."""
IMPORTERS = 6
ITEMS = 1_000


@dataclass(frozen=True)
class VectorKey:
    """Material as the device takes it: PKCS#8 or SubjectPublicKeyInfo in DER, or a symmetric key's bytes."""

    key_type: KeyType
    material: bytes
    public: bool = False


@dataclass(frozen=True)
class Case:
    """One vector: a key, what is asked of it, and what must come back. `where` finds it again in its file.

    `expected` may be refusals at import: what a key that the device does not take is answered.
    """

    where: str
    key: VectorKey
    operation: Usage
    mechanism: Mechanism
    payload: bytes
    expected: Answer
    signature: bytes = b""
    aad: bytes = b""
    parameters: tuple[tuple[str, Any], ...] = ()

    @property
    def good(self) -> bool:
        """Whether it must come out well: neither refused nor found invalid."""
        return self.expected is True or isinstance(self.expected, bytes)

    def altered(self, how: str, expected: Answer, **changes: Any) -> "Case":
        """The same with something changed on the way."""
        return replace(self, where=f"{self.where}, {how}", expected=expected, **changes)


Check = Callable[[list[Case]], None]


class Bench:
    """A tenant's keys by their material, each imported once however many vectors it serves."""

    def __init__(self, tenant: Tenant, token: str) -> None:
        self._tenant = tenant
        self._keys: dict[VectorKey, str] = {}
        self.ran: Counter[tuple[Mechanism, bool]] = Counter()
        """Vectors that were asked of a key that was imported: how many right and wrong ones of each mechanism."""
        self.http = httpx.Client(
            base_url=f"{tenant.stack.url}/api/v1/keys/", headers={"Authorization": f"Bearer {token}"}, timeout=60
        )

    def close(self) -> None:
        self.http.close()

    def id_of(self, key: VectorKey) -> str:
        """The key's id in the partition, or where the device refuses it, the code."""
        self.import_all([key])
        return self._keys[key]

    def import_all(self, keys: Iterable[VectorKey]) -> None:
        """Validated once, then sent side by side."""
        wanted = [one for one in dict.fromkeys(keys) if one not in self._keys]
        if not wanted:
            return
        with self._tenant.connect() as connection:
            now = int(time.time())
            evidence = trust.validate(connection, now, connection.home.partition())

            def bring(key: VectorKey) -> str:
                usages = {
                    usage for row in REGISTRY.values() if key.key_type in row.key_types for usage in row.operations
                }
                terms = Terms(
                    salt=new_salt(),
                    key_type=key.key_type,
                    usages=sorted(usages & PUBLIC_USAGES if key.public else usages),
                    authorisation="token",
                    translate_to=[] if key.public or Usage.TRANSLATE not in usages else ["*"],
                )
                material = Material(key.key_type, key.material, form="a vector", public_only=key.public)
                name = make_id("vector-")[:40]
                try:
                    sealed, _ = imports.prepare(connection, material, name, terms, now, evidence=evidence)
                    answer = imports.send(connection, sealed)
                except Refused as refusal:
                    return refusal.code
                return jws.read_unverified(answer, Receipt).key_id

            with ThreadPoolExecutor(IMPORTERS) as pool:
                self._keys.update(zip(wanted, pool.map(bring, wanted), strict=True))

    def answers(self, cases: list[Case]) -> list[Answer]:
        """What each vector is answered, in their order; those of one key and mechanism go in batches."""
        self.import_all(case.key for case in cases)
        groups: dict[tuple[Any, ...], list[int]] = defaultdict(list)
        found: dict[int, Answer] = {}
        for n, case in enumerate(cases):
            if not self._keys[case.key].startswith("key_"):
                found[n] = self._keys[case.key]
            else:
                groups[self._keys[case.key], case.operation, case.mechanism, case.parameters].append(n)
        for (key, operation, mechanism, parameters), places in groups.items():
            for start in range(0, len(places), ITEMS):
                chunk = places[start : start + ITEMS]
                answers = self._batch(key, operation, mechanism, dict(parameters), [cases[n] for n in chunk])
                found.update(zip(chunk, answers, strict=True))
                self.ran.update((mechanism, cases[n].good) for n in chunk)
        return [found[n] for n in range(len(cases))]

    def _batch(
        self, key: str, operation: str, mechanism: str, parameters: dict[str, Any], cases: list[Case]
    ) -> list[Answer]:
        items = [
            {"payload": b64(case.payload), "signature": b64(case.signature), "aad": b64(case.aad)} for case in cases
        ]
        answer = self.http.post(
            f"{key}/{operation}", json={"mechanism": mechanism, "parameters": parameters, "items": items}
        )
        if answer.status_code != 200:
            assert 400 <= answer.status_code < 500, answer.text
            return [answer.json()["code"]] * len(cases)
        return [answer_of(one) for one in answer.json()["results"]]

    def ask(self, key: str, operation: str, **body: Any) -> Answer:
        """One operation, asked by itself."""
        answer = self.http.post(f"{key}/{operation}", json=body)
        assert answer.status_code < 500, answer.text
        return answer.json()["code"] if answer.status_code != 200 else answer_of(answer.json())


def each(mechanisms: Iterable[Mechanism]) -> list[Any]:
    """Parameters of a test that runs once for each, with vectors of that one (see `vectors` in pyproject.toml)."""
    return [pytest.param(one, marks=pytest.mark.vectors(one)) for one in mechanisms]


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def answer_of(one: dict[str, Any]) -> Answer:
    """The answer in an item of a batch, or in that to a single operation."""
    if "error" in one:
        return str(one["error"]["code"])
    return bool(one["valid"]) if "valid" in one else base64.b64decode(one["result"])


def public_der(key: Any) -> bytes:
    """SubjectPublicKeyInfo."""
    return bytes(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))


def ec_point_der(curve: ec.EllipticCurve, x: int, y: int) -> bytes:
    """SubjectPublicKeyInfo with these coordinates, whether or not they are a point of the curve."""
    size = (curve.key_size + 7) // 8
    some = public_der(ec.derive_private_key(1, curve).public_key())
    return some[: -2 * size] + x.to_bytes(size, "big") + y.to_bytes(size, "big")
