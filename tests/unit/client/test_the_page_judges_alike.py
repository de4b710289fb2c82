"""The page of imports before the same lies as the command: it believes and refuses exactly the same."""

import time
from pathlib import Path
from typing import Any

import msgspec
import pytest
from authorities import PARTITION, PROVIDER, Authority
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from simulator import Simulator
from test_trust_before_encryption import LIES

from strongroom.client import access
from strongroom.client.connection import Connection
from strongroom.client.trust import Published
from strongroom.protocol import jws
from strongroom.protocol.access import AccessList, Principal, check_document, read_list
from strongroom.protocol.credentials import public_credential
from strongroom.protocol.encoding import b64u, canonical_json
from strongroom.protocol.statements import Endorsement
from tests.support.page_modules import PageModules
from tests.support.refusals import refused
from tests.support.security_keys import SoftwareKey

pytestmark = pytest.mark.needs("node", "npm")

JUDGE = """
    const { anchorsOf } = await import("./anchors.js");
    const { judge, validations } = await import("./judging.js");
    const found = [];
    for (const { dossier, anchors, kept } of given.cases) {
      try {
        const evidence = await judge(dossier, await anchorsOf(anchors, kept), given.now);
        found.push(await validations(evidence));
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        found.push(error.code);
      }
    }
    return found;
"""


class Page:
    """What was said to Alice, for the page's judgement: case by case, then all at once."""

    def __init__(self, connection: Connection, folder: Path) -> None:
        self._connection = connection
        self._modules = PageModules(folder)
        self.now = int(time.time())
        self._cases: list[dict[str, Any]] = []

    def hears(self, **anchors: str) -> None:
        """What everyone says now, against the anchors of Alice's folder, or others."""
        home = self._connection.home
        own = {
            "provider": PROVIDER,
            "roots": (home.path / "trust/manufacturer-roots.pem").read_text(),
            "validation": home.provider_validation().x,
            "owner": home.credential("owner").x,
        }
        kept = home.kept("access", PARTITION)
        self._cases.append({"dossier": self._dossier(), "anchors": own | anchors, "kept": kept})

    def _dossier(self) -> dict[str, Any]:
        """Whatever is said, believable or not, as the page's own questions would bring it together."""
        portal, nonce = self._connection.portal, "a-nonce-of-alices-page"
        access = portal.get(f"partitions/{PARTITION}/access", dict[str, Any])
        attestation = portal.post(f"partitions/{PARTITION}/attestation", {"nonce": nonce}, dict[str, str])
        device = portal.get("trust", Published).devices[0]
        vendor, provider = (
            next(one for one in keys if jws.read_unverified(one, Endorsement).suite == "HPKE-XWING")
            for keys in (device.vendor_keys, device.provider_keys)
        )
        with self._connection.manufacturer() as manufacturer:
            question = {"nonce": nonce, "subject": "vendor-key", "mode": "development"}
            about = question | {"key_id": jws.read_unverified(vendor, Endorsement).key_id}
            first = manufacturer.post("/v1/validation", about, dict[str, str])
        about = {"nonce": nonce, "key_id": jws.read_unverified(provider, Endorsement).key_id}
        second = portal.post("validation", about, dict[str, str])
        return {
            "partition": PARTITION,
            "suite": "HPKE-XWING",
            "access": {"version": access["version"], "document": access["document"]},
            "attestation": attestation["attestation"],
            "attestation_nonce": nonce,
            "vendor_key": vendor,
            "provider_key": provider,
            "answers": [
                {"who": "manufacturer", "subject": "vendor-key", "nonce": nonce, "statement": first["statement"]},
                {"who": "provider", "subject": "provider-key", "nonce": nonce, "statement": second["statement"]},
            ],
        }

    def judges(self) -> list[Any]:
        found: list[Any] = self._modules.run(JUDGE, {"cases": self._cases, "now": self.now})
        return found


@pytest.fixture
def page(listed: Connection, tmp_path: Path) -> Page:
    folder = tmp_path / "modules"
    folder.mkdir()
    return Page(listed, folder)


def test_an_honest_provider_is_believed_with_the_same_evidence(page: Page, provider: Simulator) -> None:
    page.hears()
    (validations,) = page.judges()
    assert [(one["validator"], one["subject"], one["status"]) for one in validations] == [
        ("manufacturer", "vendor-key", "in-force"),
        ("provider", "provider-key", "in-force"),
        (provider.device_id, "partition", "operational"),
    ]


def test_each_lie_is_refused_by_the_same_code(page: Page, provider: Simulator) -> None:
    for statement, lie, _ in LIES:
        provider.lies = {statement: lie}
        page.hears()
    found = page.judges()
    assert [code for _, _, code in LIES] == found


def test_statements_of_other_signers_are_refused_by_the_same_code(page: Page, provider: Simulator) -> None:
    expected = []
    for statement in ("attestation", "vendor-key", "provider-key", "manufacturer"):
        role: Any = "statement" if statement == "manufacturer" else "device"
        provider.forgeries = {statement: Authority.make(role, Authority.make("root"))}
        page.hears()
        expected.append("certificate-invalid")
    provider.forgeries = {"manufacturer": provider.device}
    page.hears()
    expected.append("certificate-invalid")
    provider.forgeries = {"provider-key": Authority.make("device", provider.root)}
    page.hears()
    expected.append("validation-failed")
    provider.forgeries = {}
    provider.validation_key = Ed25519PrivateKey.generate()
    page.hears()
    expected.append("signature-invalid")
    assert page.judges() == expected


def test_access_lists_that_are_older_or_a_strangers_are_refused_by_the_same_code(
    page: Page, provider: Simulator
) -> None:
    version, document = provider.version, provider.document
    provider.version, provider.document = 0, None
    page.hears()
    mallory = Ed25519PrivateKey.generate()
    theirs = AccessList(partition=PARTITION, version=2, previous="", owners=[public_credential(mallory)], principals=[])
    provider.version, provider.document = 2, jws.sign(theirs, mallory)
    page.hears()
    provider.version, provider.document = version, document
    page.hears(owner=public_credential(mallory).x)
    page.hears(provider="another-provider")
    assert page.judges() == ["access-list-conflict", "not-the-owner", "owner-mismatch", "validation-failed"]


def test_lists_by_security_keys_are_believed_and_refused_alike(
    page: Page, listed: Connection, provider: Simulator, now: int
) -> None:
    keys = [SoftwareKey("bob"), SoftwareKey("carol", private=Ed25519PrivateKey.generate())]
    for key in keys:
        access.put_in_force(listed, now, editors=access.add_editor(key.editor(key.name)))
    granted = provider.document or ""
    provider.version += 1
    everyone = read_list(granted).principals
    stranger = Principal(principal="client:cl_stranger", rights=["sign"])
    more = msgspec.structs.replace(read_list(granted), version=provider.version, owners=[])
    honest = [key.edit(granted, everyone) for key in keys]
    lies = [
        (SoftwareKey("mallory").edit(granted, everyone), "not-an-editor"),
        (keys[0].sign_list(granted, canonical_json(more)), "beyond-an-editor"),
        (keys[0].edit(granted, everyone, said={"origin": "https://elsewhere.example"}), "security-key-refused"),
        (keys[0].edit(granted, everyone, said={"crossOrigin": True}), "security-key-refused"),
        (keys[0].edit(granted, everyone, flags=0x01), "security-key-refused"),
        (keys[0].edit(granted, everyone, flags=0x1D), "security-key-refused"),
        (keys[0].edit(granted, everyone, rp_id="elsewhere.example"), "security-key-refused"),
        (with_payload(honest[0], [*everyone, stranger]), "signature-invalid"),
        (with_payload(honest[1], [*everyone, stranger]), "signature-invalid"),
        (honest[0] + " ", "statement-malformed"),
        (swapped(honest[0], honest[1]), "signature-invalid"),
    ]
    for document in [*honest, *(document for document, _ in lies)]:
        provider.document = document
        page.hears()
    found = page.judges()
    assert [len(one) for one in found[:2]] == [3, 3]
    assert found[2:] == [code for _, code in lies]
    for document, code in lies:
        with refused(code):
            check_document(document, [listed.home.credential("owner")])


def test_a_key_that_was_taken_off_is_not_believed_by_the_list_that_named_it(
    page: Page, listed: Connection, provider: Simulator, now: int
) -> None:
    key = SoftwareKey("bob")
    access.put_in_force(listed, now, editors=access.add_editor(key.editor()))
    named = provider.document or ""
    access.put_in_force(listed, now, editors=access.remove_editor(key.credential.fingerprint))
    late = msgspec.structs.replace(read_list(named), version=provider.version + 1)
    provider.version, provider.document = late.version, key.sign_list(named, canonical_json(late))
    page.hears()
    assert page.judges() == ["access-list-conflict"]
    with refused("access-list-conflict"):
        access.in_force(listed, PARTITION)


def with_payload(document: str, principals: list[Principal]) -> str:
    """An editor's document that says another list than its key signed."""
    listed = msgspec.structs.replace(read_list(document), principals=principals)
    edited = msgspec.json.decode(document) | {"payload": b64u(canonical_json(listed))}
    return canonical_json(edited).decode()


def swapped(document: str, other: str) -> str:
    """An editor's document with another key's signature."""
    signature = msgspec.json.decode(other)["signature"]
    return canonical_json(msgspec.json.decode(document) | {"signature": signature}).decode()
