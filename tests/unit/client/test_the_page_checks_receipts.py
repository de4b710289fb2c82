"""The page of imports before the same receipts as the command: it believes and refuses exactly the same."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from authorities import PARTITION, Authority
from simulator import Simulator
from test_import_and_receipt import LIES, PEM, signing_terms
from test_made_keys import LIES as LIES_OF_MADE_KEYS

from strongroom.client import imports, receipts
from strongroom.client.connection import Connection
from strongroom.client.home import Home
from strongroom.client.making import to_be_made
from strongroom.client.material import read_material
from strongroom.protocol.mechanisms import KeyType, Usage
from strongroom.protocol.terms import Terms, new_salt
from tests.support.page_modules import PageModules
from tests.support.refusals import refused

pytestmark = pytest.mark.needs("node", "npm")

CHECK_RECEIPTS = """
    const { parsePem } = await import("./certificates.js");
    const { text, fromB64u } = await import("./encoding.js");
    const { checkReceipt } = await import("./receipts.js");
    const found = [];
    for (const { token, sent } of given.cases) {
      try {
        const statement = JSON.parse(text(fromB64u(sent.header.split(".")[1])));
        found.push((await checkReceipt(token, { ...sent, statement }, parsePem(given.roots), given.now)).name);
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        found.push(error.code);
      }
    }
    return found;
"""


NEWEST = """
    const { parsePem } = await import("./certificates.js");
    const { newest } = await import("./succession.js");
    const found = [];
    for (const [name, receipt] of given.cases) {
      try {
        const about = { partition: given.partition, owner: given.owner, roots: parsePem(given.roots) };
        found.push((await newest({ get: async () => ({ receipt }) }, name, name, about, given.now)).version);
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        found.push(error.code);
      }
    }
    return found;
"""


@pytest.fixture
def modules(tmp_path: Path) -> PageModules:
    folder = tmp_path / "modules"
    folder.mkdir()
    return PageModules(folder)


def checks(modules: PageModules, home: Home, now: int, cases: list[dict[str, Any]]) -> list[Any]:
    """What comes of receipts (`token`) for what was `sent`: the key's name, or the code of the refusal."""
    roots = (home.path / "trust/manufacturer-roots.pem").read_text()
    found: list[Any] = modules.run(CHECK_RECEIPTS, {"cases": cases, "roots": roots, "now": now})
    return found


def follows(modules: PageModules, home: Home, now: int, cases: list[tuple[str, str]]) -> list[Any]:
    """What of each key (name, receipt) is taken for its newest version: its number, or the code of the refusal."""
    about = {
        "partition": PARTITION,
        "owner": home.credential("owner").fingerprint,
        "roots": (home.path / "trust/manufacturer-roots.pem").read_text(),
    }
    found: list[Any] = modules.run(NEWEST, about | {"cases": cases, "now": now})
    return found


def test_receipts_that_are_for_something_else_are_refused(
    modules: PageModules, listed: Connection, provider: Simulator, now: int
) -> None:
    cases: list[dict[str, Any]] = []

    def send(name: str) -> None:
        material = read_material(PEM)
        sealed, _ = imports.prepare(listed, material, name, signing_terms(material), now)
        cases.append({"token": imports.send(listed, sealed), "sent": msgspec.to_builtins(sealed.sent)})

    send("honest")
    for number, lie in enumerate(LIES):
        provider.lies = {"receipt": lambda receipt, lie=lie: msgspec.structs.replace(receipt, **lie)}
        send(f"lie-{number}")
    provider.lies = {}
    provider.forgeries = {"receipt": Authority.make("device", provider.root)}
    send("another-device")
    provider.forgeries = {"receipt": Authority.make("device", Authority.make("root"))}
    send("another-root")
    mismatches = ["receipt-mismatch"] * (len(LIES) + 1)
    assert checks(modules, listed.home, now, cases) == ["honest", *mismatches, "certificate-invalid"]


def test_receipts_of_keys_that_were_to_be_made_are_believed_and_refused_alike(
    modules: PageModules, listed: Connection, provider: Simulator, now: int
) -> None:
    cases: list[dict[str, Any]] = []

    def send(kind: str, **lie: Any) -> None:
        provider.lies = {"receipt": lambda receipt: msgspec.structs.replace(receipt, **lie)}
        material = to_be_made(kind)
        terms = Terms(salt=new_salt(), key_type=material.key_type, usages=[Usage.HASH])
        sealed, _ = imports.prepare(listed, material, f"made-{len(cases)}", terms, now)
        cases.append({"token": imports.send(listed, sealed), "sent": msgspec.to_builtins(sealed.sent)})

    kinds = list(KeyType)
    for kind in kinds:
        send(kind)
    for lie in LIES_OF_MADE_KEYS:
        send("EC-P256", **lie)
    of_symmetric: list[dict[str, Any]] = [
        {"check_value": ""},
        {"check_value": "ABCDEF"},
        {"check_value": "0a0b0c0d"},
        {"key_type": KeyType.AES_128},
        {"origin": "imported"},
        {"origin": "kept"},
    ]
    for lie in of_symmetric:
        send("AES-256", **lie)
    found = checks(modules, listed.home, now, cases)
    assert found[: len(kinds)] == [f"made-{number}" for number in range(len(kinds))]
    assert found[len(kinds) :] == ["receipt-mismatch"] * (len(LIES_OF_MADE_KEYS) + len(of_symmetric))
    # What the page found in each the command finds too.
    for case, what in zip(cases, found, strict=True):
        sent = msgspec.convert(case["sent"], receipts.Sent)
        roots = listed.home.manufacturer_roots()
        if what == "receipt-mismatch":
            with refused(what):
                receipts.check(case["token"], sent, roots, now)
        else:
            assert receipts.check(case["token"], sent, roots, now).receipt.name == what


def test_the_version_before_is_believed_by_its_receipt_alone(
    modules: PageModules, listed: Connection, provider: Simulator, now: int
) -> None:
    cases: list[tuple[str, str]] = []

    def send(name: str, asked: str = "", **lie: Any) -> None:
        provider.lies = {"receipt": lambda receipt: msgspec.structs.replace(receipt, **lie)}
        material = read_material(PEM)
        sealed, _ = imports.prepare(listed, material, name, signing_terms(material), now)
        cases.append((asked or name, imports.send(listed, sealed)))

    send("honest", version=7)
    send("of-another-partition", partition="pt_other")
    send("of-another-owner", owner="somebody")
    send("of-another-device", device="dev_other")
    send("one", asked="another")
    provider.forgeries = {"receipt": Authority.make("device", Authority.make("root"))}
    send("of-another-root")
    expected = [7, "wrong-partition", *["receipt-mismatch"] * 3, "certificate-invalid"]
    assert follows(modules, listed.home, now, cases) == expected
