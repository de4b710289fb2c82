"""New versions in the page of imports: looser terms are found as the device finds them, and need the owner."""

import itertools
from typing import Any

import msgspec
import pytest

from strongroom.protocol.certificate_status import CertificateStatus
from strongroom.protocol.encoding import b64u
from strongroom.protocol.errors import Refused
from strongroom.protocol.mechanisms import KeyType
from strongroom.protocol.revocation import Revocation
from strongroom.protocol.terms import Terms, check_not_looser, new_salt, terms_digest
from tests.support.materials import NARROW
from tests.support.page_modules import PageModules

pytestmark = pytest.mark.needs("node", "npm")

LOOSER = """
    const { looser } = await import("./succession.js");
    return given.cases.map(([next, before]) => looser(next, before, given.registry));
"""
ENDPOINT = Revocation(url="https://a.example/", token="t", public_keys=["0" * 64], every=60)
BASE = Terms(salt=new_salt(), key_type=KeyType.AES_256, **NARROW)
VARIANTS: list[dict[str, Any]] = [
    {},
    {"usages": ["encrypt"]},
    {"usages": ["encrypt", "decrypt", "rewrap"]},
    {"usages": ["encrypt", "rewrap"]},
    {"usages": ["translate"]},
    {"usages": ["hash"]},
    {"mechanisms": []},
    {"mechanisms": ["AES-GCM", "AES-GCM-SIV"]},
    {"authorisation": "token"},
    {"not_before": None},
    {"not_before": 2000},
    {"not_after": None},
    {"not_after": 2**40 + 1},
    {"not_after": 2**39},
    {"translate_to": []},
    {"translate_to": ["*"]},
    {"translate_to": ["a", "c"]},
    {"key_type": KeyType.AES_128},
    {"material": "public"},
    {"revocation": ENDPOINT},
    {"revocation": msgspec.structs.replace(ENDPOINT, token="other", every=59)},
    {"revocation": msgspec.structs.replace(ENDPOINT, every=61)},
    {"revocation": msgspec.structs.replace(ENDPOINT, url="https://b.example/")},
    {"certificate_status": CertificateStatus(method="none")},
    {"certificate_status": CertificateStatus(method="ocsp")},
    {"certificate_status": CertificateStatus(method="ocsp", every=60)},
    {"certificate_status": CertificateStatus(method="crl", url="http://a.example/")},
]


def test_the_page_finds_the_same_terms_looser_as_the_device(modules: PageModules, registry: dict[str, Any]) -> None:
    variants = [msgspec.structs.replace(BASE, **one) for one in VARIANTS]
    cases, known = [], []
    for new, old in itertools.product(variants, variants):
        cases.append([msgspec.json.decode(one.encode()) for one in (new, old)])
        try:
            check_not_looser(new, old)
            known.append([])
        except Refused as refusal:
            known.append((refusal.detail or "").split(", "))
    found = modules.run(LOOSER, {"cases": cases, "registry": registry})
    assert found == known
    assert {name for names in known for name in names} >= {"usages", "revocation", "certificate_status", "material"}


CHECK = """
    const { checkSuccession, termsBefore } = await import("./succession.js");
    const earlier = given.file ? await termsBefore(fromHex(given.file), given.before) : null;
    return checkSuccession(given.next, given.before, earlier, given.registry) ?? null;
"""


def test_looser_terms_are_refused_with_the_command_by_which_the_owner_consents(
    modules: PageModules, registry: dict[str, Any]
) -> None:
    before = {"version": 3, "key_type": "AES-256", "terms_digest": terms_digest(BASE.encode())}

    def check(file: bytes = b"", **changes: Any) -> dict[str, Any] | None:
        new = msgspec.json.decode(msgspec.structs.replace(BASE, salt=new_salt(), **changes).encode())
        given = {"next": new, "before": before, "file": file.hex(), "registry": registry}
        found: dict[str, Any] | None = modules.run(CHECK, given)
        return found

    # 1. With the file of the terms before, by name.
    assert check(BASE.encode()) is None
    refused = check(BASE.encode(), authorisation="token", not_after=None)
    assert refused is not None
    assert refused["refused"] == "terms-looser"
    assert "version 3: authorisation, not_after." in refused["sentence"]
    assert refused["ways"] == ["strongroom import --owner-consent"]
    # 2. Without it the receipt tells the type alone; of the rest the device is asked.
    assert check(authorisation="token") is None
    assert (check(key_type=KeyType.AES_128) or {}).get("refused") == "terms-looser"
    # 3. Another file is not taken for it.
    other = msgspec.structs.replace(BASE, salt=b64u(bytes(16))).encode()
    assert (check(other) or {}).get("refused") == "terms-refused"


def test_the_devices_word_leads_to_the_same_command(modules: PageModules) -> None:
    script = """
        const { inWords } = await import("./succession.js");
        const said = inWords(new Refused(given, "no"));
        return [said.code, said.ways];
    """
    assert modules.run(script, "terms-looser") == ["terms-looser", ["strongroom import --owner-consent"]]
    assert modules.run(script, "key-weak") == ["key-weak", []]
