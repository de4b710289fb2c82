"""The customer's kill switch on a running installation: sealed at import, asked by the device, seen by the customer."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from strongroom.client import operations
from strongroom.protocol.encoding import make_id
from strongroom.protocol.errors import Refused
from strongroom.protocol.mechanisms import Usage
from tests.support.command import run
from tests.support.customers_endpoint import ServedEndpoint
from tests.support.stack import Stack

EVERY = 2
"""Seconds for which an answer holds; a development device allows so few."""
PATIENCE = 20


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedEndpoint]:
    with ServedEndpoint(tmp_path_factory.mktemp("customer") / "endpoint") as served:
        yield served


@pytest.fixture
def alice(stack: Stack) -> Path:
    return stack.tenant("acme").home.path


@pytest.fixture
def name() -> str:
    return "rev" + make_id("-")[:12]


@pytest.fixture
def key(tmp_path: Path) -> Path:
    made = ec.generate_private_key(ec.SECP256R1())
    path = tmp_path / "key.pem"
    path.write_bytes(made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return path


@pytest.fixture
def signs(stack: Stack, name: str) -> Iterator[Callable[[], str]]:
    """Sign something with the key; the code of the refusal, or `ok`."""
    with stack.tenant("acme").connect() as connection:

        def sign() -> str:
            try:
                operations.operate(connection, Usage.SIGN, name, b"an order", now=int(time.time()))
            except Refused as refusal:
                return refusal.code
            return "ok"

        yield sign


def comes_to(wanted: str, look: Callable[[], str], seconds: float = PATIENCE) -> None:
    """A look that begins later than `seconds` from now sees `wanted`."""
    began = time.monotonic()
    looked = began
    while (found := look()) != wanted:
        assert looked < began + seconds, f"still {found}, not {wanted}"
        time.sleep(0.05)
        looked = time.monotonic()


def listed_state(alice: Path, name: str) -> Callable[[], str]:
    return lambda: run(alice, "keys", "show", name)["state"]


def options(endpoint: ServedEndpoint) -> list[object]:
    return ["--usage", "sign", "--usage", "verify", "--revoke-at", endpoint.url, "--revoke-every", f"{EVERY}s"]


def test_a_key_is_suspended_resumed_and_revoked_at_the_customers_word(
    alice: Path, endpoint: ServedEndpoint, key: Path, name: str, signs: Callable[[], str]
) -> None:
    where = ["--dir", endpoint.folder]
    shown = run(alice, "import", key, "--name", name, *options(endpoint), "--revoke-dir", endpoint.folder)
    assert endpoint.url in shown["revocation"]
    assert endpoint.token not in str(shown)
    comes_to("ok", signs)
    # 1. A rehearsal says within what time a revocation would bite.
    [drilled] = run(alice, "revocation", "drill", name)["versions"]
    assert (drilled["status"]["state"], drilled["status"]["answer"]) == ("good", "active")
    assert drilled["at_most"] == EVERY
    # 2. Suspended: refused within the interval, and seen with the reason.
    run(alice, "revocation", "suspend", name, *where, "--reason", "an audit")
    comes_to("key-suspended", signs, EVERY)
    comes_to("suspended", listed_state(alice, name))
    [status] = run(alice, "revocation", "status", name)["versions"]
    assert status["status"]["answer"] == "suspended"
    # 3. Resumed.
    run(alice, "revocation", "resume", name, *where)
    comes_to("ok", signs)
    comes_to("active", listed_state(alice, name))
    # 4. Revoked: refused within the interval, for ever, seen, and on record.
    run(alice, "revocation", "revoke", name, *where, "--reason", "stolen")
    comes_to("key-not-active", signs, EVERY)
    comes_to("revoked", listed_state(alice, name))
    [status] = run(alice, "revocation", "status", name)["versions"]
    found = status["status"]
    assert (found["state"], found["revoked_by"], found["why"]) == ("revoked", "endpoint", "stolen")
    run(alice, "log", "verify")
    run(alice, "evidence", "save", name, "--out", key.with_name("proof.json"), "--only-admin")
    roots = alice / "trust" / "manufacturer-roots.pem"
    proof = run(alice, "evidence", "verify", key.with_name("proof.json"), "--roots", roots)
    assert "revoked" in proof["steps"][-1]["found"]
    said = run(alice, "revocation", "drill", name, refused="key-not-active")
    assert said["detail"] == "version 1 was revoked by its endpoint: stolen"


def test_without_an_endpoint_that_answers_a_key_serves_no_longer_than_its_interval(
    alice: Path, endpoint: ServedEndpoint, key: Path, name: str, signs: Callable[[], str]
) -> None:
    run(alice, "import", key, "--name", name, *options(endpoint), "--revoke-dir", endpoint.folder)
    comes_to("ok", signs)
    endpoint.kill()
    comes_to("key-suspended", signs, EVERY)
    comes_to("suspended", listed_state(alice, name))
    said = run(alice, "revocation", "drill", name, refused="unavailable")
    assert "had no valid answer. version 1: unavailable: no connection" in said["detail"]
    endpoint.start()
    comes_to("ok", signs)


def test_a_key_that_is_not_on_the_list_serves_nobody(
    alice: Path, endpoint: ServedEndpoint, key: Path, name: str, signs: Callable[[], str]
) -> None:
    token, pin = f"@{endpoint.folder / 'token'}", endpoint.folder / "cert.pem"
    run(alice, "import", key, "--name", name, *options(endpoint), "--revoke-token", token, "--revoke-pin", pin)
    assert signs() == "key-suspended"
    [added] = run(alice, "revocation", "add", name, "--dir", endpoint.folder)
    assert (added["name"], added["status"], added["versions"]) == (name, "active", 1)
    comes_to("ok", signs)


def test_keys_in_bulk_are_listed_too(
    alice: Path, endpoint: ServedEndpoint, key: Path, name: str, signs: Callable[[], str]
) -> None:
    folder = key.with_name("keys")
    folder.mkdir()
    key.rename(folder / f"{name}.pem")
    done = run(alice, "import", "--bulk", folder, *options(endpoint), "--revoke-dir", endpoint.folder)
    assert done["imported"] == 1
    comes_to("ok", signs)


def test_an_owner_revokes_by_signature_where_nobody_is_asked(
    alice: Path, key: Path, name: str, signs: Callable[[], str]
) -> None:
    run(alice, "import", key, "--name", name, "--usage", "sign")
    assert signs() == "ok"
    run(alice, "revocation", "drill", name, refused="not-found")
    run(alice, "keys", "revoke", name, refused="configuration")  # nobody typed its name
    assert run(alice, "keys", "revoke", name, "--yes", "--reason", "a laptop was stolen")["states"] == {"1": "revoked"}
    assert signs() == "key-not-active"
    assert listed_state(alice, name)() == "revoked"


def test_terms_that_can_never_be_met_are_refused_before_anything_is_sent(
    alice: Path, endpoint: ServedEndpoint, key: Path, name: str
) -> None:
    where: list[Any] = ["--name", name, "--usage", Usage.SIGN, "--revoke-dir", endpoint.folder]
    for more in (["--revoke-at", "https://elsewhere.example/"], [], ["--revoke-at", endpoint.url.replace("s", "", 1)]):
        run(alice, "import", key, *where, *more, refused="terms-refused")
    assert not (alice / "receipts" / f"{name}.json").exists()
