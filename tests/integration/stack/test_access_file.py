"""`access.json` gives a tester everything, to the owner of the state alone."""

import json
import ssl
import stat
import subprocess
import sys
from pathlib import Path

import httpx
import msgspec
import psycopg
import pytest

from strongroom.client.home import Home
from strongroom.officer.cards import open_card, read_card
from strongroom.protocol import jws
from strongroom.protocol.credentials import PublicCredential
from strongroom.protocol.statements import Endorsement, ValidationStatement
from tests.support.stack import Stack


def test_only_its_owner_may_read_it(stack: Stack) -> None:
    assert stat.S_IMODE(stack.state.access_file.stat().st_mode) == 0o600


def test_portal_and_manufacturer_answer_at_their_addresses(stack: Stack) -> None:
    assert httpx.get(f"{stack.access['url']}/readyz").json() == {"database": "ok", "device": "operational"}
    pinned = stack.state.root / "manufacturer" / "public" / "tls.pem"
    trusted = ssl.create_default_context(cafile=str(pinned))
    assert httpx.get(f"{stack.access['manufacturer_url']}/healthz", verify=trusted).status_code == 200


def test_the_portal_answers_over_tls_to_whoever_trusts_the_development_authority(stack: Stack) -> None:
    trusted = ssl.create_default_context(cafile=stack.access["tls_ca"])
    trusted.verify_flags |= ssl.VERIFY_X509_STRICT
    assert httpx.get(f"{stack.access['tls_url']}/readyz", verify=trusted).status_code == 200
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(f"{stack.access['tls_url']}/readyz")


def test_nobody_else_can_read_the_authoritys_key(stack: Stack) -> None:
    folder = Path(stack.access["tls_ca"]).parent
    for path in [folder, *folder.iterdir()]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)
    assert b"PRIVATE" not in Path(stack.access["tls_ca"]).read_bytes()


def test_the_independent_validator_vouches_for_all_keys_that_the_provider_publishes(stack: Stack) -> None:
    home = Home(Path(stack.access["tenants"][0]["client_home"]))
    anchor = json.loads((home.path / "trust" / "validators" / "development.json").read_text())
    assert anchor["url"] == stack.access["validator_url"]
    signer = msgspec.convert(anchor["credential"], PublicCredential).public_key()
    trust = httpx.get(f"{stack.url}/api/v1/trust").json()
    endorsed = trust["devices"][0]["vendor_keys"] + trust["devices"][0]["provider_keys"]
    keys = [jws.read_unverified(one, Endorsement).key_id for one in endorsed]
    keys += [one["key_id"] for one in trust["engine_keys"]]
    assert len(keys) == 5
    with httpx.Client(base_url=anchor["url"], verify=ssl.create_default_context(cadata=anchor["tls"])) as validator:
        for key_id in keys:
            subject = "vendor-key" if key_id.startswith("vk_") else "provider-key"
            question = {"nonce": "n" * 32, "subject": subject, "key_id": key_id}
            token = validator.post("/v1/validation", json=question).json()["statement"]
            says = jws.verify(token, ValidationStatement, signer)
            assert (says.validator, says.status, says.provider) == ("development", "in-force", "provider")


def test_the_database_is_the_owners(stack: Stack) -> None:
    with psycopg.connect(stack.access["database_url"]) as connection:
        row = connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()
    assert row == (False,)


def test_every_process_is_named(stack: Stack) -> None:
    servers = {"postgres", "valkey", "manufacturer", "validator", "hsm", "web", "web-tls"}
    expected = {"supervisor", *servers, "worker", "bulk-worker", "beat"}
    assert set(stack.access["processes"]) == expected
    for pid in stack.access["processes"].values():
        assert Path(f"/proc/{pid}").exists()


def test_nine_officers_have_a_card_that_their_pin_opens(stack: Stack) -> None:
    officers = stack.access["officers"]
    assert sorted(one["class"] for one in officers) == sorted(["domain", "security", "partition"] * 3)
    for one in officers:
        card = open_card(read_card(Path(one["card_file"])), one["pin"])
        assert card.face.name == one["username"]


def test_each_tenants_token_works_and_its_folder_is_ready(stack: Stack) -> None:
    for one in stack.access["tenants"]:
        token = {"Authorization": f"Bearer {one['token']}"}
        assert httpx.get(f"{stack.url}/api/v1/whoami", headers=token).json()["tenant"] == one["slug"]
        home = Home(Path(one["client_home"]))
        assert home.partition().startswith("pt_")
        assert home.config().url == stack.access["tls_url"]
        shown = subprocess.run(
            [sys.executable, "-m", "strongroom", "keys", "--json"],
            env={"STRONGROOM_HOME": one["client_home"], "PYTHONPATH": "."},
            capture_output=True,
            check=True,
        )
        json.loads(shown.stdout)


def test_an_admin_logs_in_with_password_and_the_next_code(stack: Stack) -> None:
    admin = stack.access["tenants"][0]["admin"]
    body = {"username": admin["username"], "password": admin["password"], "otp": stack.code(admin["username"])}
    assert httpx.post(f"{stack.url}/api/v1/login", json=body).json()["username"] == admin["username"]
