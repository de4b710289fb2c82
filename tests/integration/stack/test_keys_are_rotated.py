"""Officers rotate the device's keys in a running installation: everyone who vouches for keys follows by themselves."""

import json
import ssl
import subprocess
import sys
import time
from typing import Any

import httpx
import pytest

from stack.layout import PROJECT
from strongroom.client import trust
from strongroom.officer import actions
from strongroom.protocol import jws
from strongroom.protocol.statements import Endorsement, ValidationStatement
from tests.support.served import wait_until
from tests.support.stack import Stack


def request(stack: Stack, *what: str) -> str:
    """`security1` asks by the command; the action's id."""
    connection, _ = stack.officer("security1")
    connection.close()
    card = ["--card", str(stack.state.card("security1")), "--pin-file", str(stack.state.pin("security1"))]
    done = subprocess.run(
        [sys.executable, "-m", "strongroom", "officer", "request-action", *what, *card, "--yes", "--json"],
        env={"STRONGROOM_HOME": str(stack.state.root / "officers" / "security1"), "PYTHONPATH": str(PROJECT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return str(json.loads(done.stdout)["id"])


def rotate(stack: Stack, *what: str) -> str:
    """Two others approve; the id of the key that the device made."""
    action, answer = request(stack, *what), None
    for name in ("security2", "security3"):
        connection, card = stack.officer(name)
        with connection:
            opened = actions.action(connection, action)
            answer = actions.approve(connection, card, opened, stack.code(name), int(time.time()))
    assert answer is not None
    assert answer.state == "executed"
    return str(answer.result)


def key_in_force(stack: Stack, kind: str, suite: str = "HPKE-XWING") -> str:
    tokens = httpx.get(f"{stack.url}/api/v1/trust").json()["devices"][0][kind]
    keys = [jws.read_unverified(one, Endorsement) for one in tokens]
    (found,) = [one.key_id for one in keys if one.suite == suite]
    return found


def manufacturers_list(stack: Stack) -> dict[str, str]:
    pinned = ssl.create_default_context(cafile=str(stack.state.root / "manufacturer" / "public" / "tls.pem"))
    listed = httpx.get(f"{stack.run.manufacturer_url}/v1/vendor-keys", verify=pinned).json()
    return {one["key_id"]: one["status"] for one in listed}


def validator_says(stack: Stack, key_id: str) -> ValidationStatement:
    anchor = json.loads((stack.state.customer("acme") / "trust" / "validators" / "development.json").read_text())
    subject = "vendor-key" if key_id.startswith("vk_") else "provider-key"
    question = {"nonce": "n" * 32, "subject": subject, "key_id": key_id}
    context = ssl.create_default_context(cadata=anchor["tls"])
    answer = httpx.post(f"{anchor['url']}/v1/validation", json=question, verify=context)
    return jws.read_unverified(answer.raise_for_status().json()["statement"], ValidationStatement)


def validate(stack: Stack) -> Any:
    acme = stack.tenant("acme")
    with acme.connect() as connection:
        return trust.validate(connection, int(time.time()), acme.home.partition())


def test_a_rotated_vendor_key_is_listed_by_the_manufacturer_and_seen_by_the_validator(stack: Stack) -> None:
    before = key_in_force(stack, "vendor_keys")
    made = rotate(stack, "rotate-vendor-key")
    assert key_in_force(stack, "vendor_keys") == made != before
    # 1. The manufacturer has heard of it from the portal, and has retired the old one.
    assert (manufacturers_list(stack)[before], manufacturers_list(stack)[made]) == ("retired", "in-force")
    # 2. The independent validator answers for the new one at once, and learns of the old one within seconds.
    assert validator_says(stack, made).status == "in-force"
    assert validator_says(stack, made).first_seen
    wait_until(lambda: validator_says(stack, before).status == "retired")
    # 3. The customer finds everyone in agreement.
    assert validate(stack).vendor_key.key_id == made


@pytest.mark.parametrize("suite", ["HPKE-XWING", "RSA-AES-KWP"])
def test_a_rotated_provider_key_is_seen_by_the_validator(stack: Stack, suite: str) -> None:
    before = key_in_force(stack, "provider_keys", suite)
    wait_until(lambda: validator_says(stack, before).status == "in-force")
    made = rotate(stack, "rotate-provider-key", "--suite", suite)
    assert key_in_force(stack, "provider_keys", suite) == made != before
    assert validator_says(stack, made).status == "in-force"
    wait_until(lambda: validator_says(stack, before).status == "retired")
    if suite == "HPKE-XWING":
        assert validate(stack).provider_key.key_id == made
