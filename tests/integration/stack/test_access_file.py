"""`access.json` gives a tester everything, to the owner of the state alone."""

import json
import ssl
import stat
import subprocess
import sys
from pathlib import Path

import httpx
import psycopg

from strongroom.client.home import Home
from strongroom.officer.cards import open_card, read_card
from tests.support.stack import Stack


def test_only_its_owner_may_read_it(stack: Stack) -> None:
    assert stat.S_IMODE(stack.state.access_file.stat().st_mode) == 0o600


def test_portal_and_manufacturer_answer_at_their_addresses(stack: Stack) -> None:
    assert httpx.get(f"{stack.access['url']}/readyz").json() == {"database": "ok", "device": "operational"}
    pinned = stack.state.root / "manufacturer" / "public" / "tls.pem"
    trusted = ssl.create_default_context(cafile=str(pinned))
    assert httpx.get(f"{stack.access['manufacturer_url']}/healthz", verify=trusted).status_code == 200


def test_the_database_is_the_owners(stack: Stack) -> None:
    with psycopg.connect(stack.access["database_url"]) as connection:
        row = connection.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone()
    assert row == (False,)


def test_every_process_is_named(stack: Stack) -> None:
    expected = {"supervisor", "postgres", "valkey", "manufacturer", "hsm", "web", "worker", "beat"}
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
        assert Home(Path(one["client_home"])).partition().startswith("pt_")
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
