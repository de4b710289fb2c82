"""A third party's word is required as the policy says, over a fresh nonce; an adversary in between stops the client."""

import json
import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from simulator import PARTITION, Authority, Simulator

from strongroom.client import validators
from strongroom.client.connection import Connection
from strongroom.client.home import Home
from strongroom.client.routes import Route
from strongroom.client.trust import validate
from strongroom.client.validators import ThirdParty
from strongroom.protocol.credentials import public_credential
from strongroom.protocol.errors import Refused
from strongroom.protocol.statements import ValidationStatement

Change = Callable[[Any], Any]
LONG_AGO = int(time.time()) - 3600


def changed(**fields: Any) -> Change:
    return lambda statement: msgspec.structs.replace(statement, **fields)


def trust_in(home: Home, provider: Simulator, name: str) -> None:
    """Alice gets a validator's anchor, out of band."""
    key = provider.third_parties.setdefault(name, Ed25519PrivateKey.generate())
    tls = Authority.make("root").pem.decode()
    validators.add(home, name, ThirdParty(url=f"https://{name}", credential=public_credential(key), tls=tls))


@pytest.fixture
def watched(listed: Connection, home: Home, provider: Simulator) -> Connection:
    trust_in(home, provider, "watcher")
    return listed


def test_every_validator_that_the_folder_knows_must_vouch_for_both_keys(
    watched: Connection, home: Home, provider: Simulator, now: int
) -> None:
    trust_in(home, provider, "archive")
    evidence = validate(watched, now, PARTITION)
    assert [(one.validator, one.subject) for one in evidence.validations()][:6] == [
        ("manufacturer", "vendor-key"),
        ("provider", "provider-key"),
        ("archive", "vendor-key"),
        ("archive", "provider-key"),
        ("watcher", "vendor-key"),
        ("watcher", "provider-key"),
    ]


@pytest.mark.parametrize("route", [Route("engine"), Route("tee", "RSA-AES-KWP")])
def test_it_is_asked_about_engine_keys_and_single_use_keys_too(
    watched: Connection, home: Home, now: int, route: Route
) -> None:
    evidence = validate(watched, now, PARTITION, route)
    assert [one.subject for one in evidence.validations() if one.validator == "watcher"] == [
        "vendor-key",
        "provider-key",
    ]


def replayed() -> Change:
    """The adversary keeps the first answer and gives it to every later question."""
    kept: list[ValidationStatement] = []

    def change(statement: ValidationStatement) -> ValidationStatement:
        kept.append(statement)
        return kept[0]

    return change


@pytest.mark.parametrize(
    ("lie", "code"),
    [
        (changed(nonce="of-another-question"), "nonce-mismatch"),
        (replayed(), "nonce-mismatch"),
        (changed(issued_at=LONG_AGO), "stale"),
        (changed(expires_at=LONG_AGO), "stale"),
        (changed(status="unknown"), "validation-failed"),
        (changed(status="retired"), "validation-failed"),
        (changed(status="revoked"), "validation-failed"),
        (changed(device_status="revoked"), "validation-failed"),
        (changed(public_key_digest="0" * 64), "validation-failed"),
        (changed(key_id="vk_other"), "validation-failed"),
        (changed(subject="provider-key"), "validation-failed"),
        (changed(device="dev_other"), "validation-failed"),
        (changed(provider="another"), "validation-failed"),
        (changed(validator="manufacturer"), "validation-failed"),
        (changed(first_seen=None), "validation-failed"),
        (changed(first_seen=int(time.time()) + 7200), "validation-failed"),
    ],
)
def test_a_replayed_delayed_or_substituted_answer_stops_the_client(
    watched: Connection, provider: Simulator, now: int, lie: Change, code: str
) -> None:
    provider.lies["third-party"] = lie
    with pytest.raises(Refused) as refused:
        validate(watched, now, PARTITION)
    assert refused.value.code == code


def test_an_answer_by_another_key_stops_the_client(watched: Connection, provider: Simulator, now: int) -> None:
    provider.third_parties["watcher"] = Ed25519PrivateKey.generate()
    with pytest.raises(Refused, match="signature-invalid"):
        validate(watched, now, PARTITION)


def test_one_validator_cannot_answer_for_another(
    watched: Connection, home: Home, provider: Simulator, now: int
) -> None:
    trust_in(home, provider, "archive")
    provider.third_parties["archive"] = provider.third_parties["watcher"]
    with pytest.raises(Refused, match="signature-invalid"):
        validate(watched, now, PARTITION)


def test_a_validator_that_does_not_answer_stops_the_client(watched: Connection, provider: Simulator, now: int) -> None:
    def silent() -> dict[str, Any]:
        raise Refused("unavailable")

    provider.answers["POST /v1/validation"] = silent
    with pytest.raises(Refused, match="unavailable"):
        validate(watched, now, PARTITION)


# --- who must vouch ---


def policy(home: Home, *names: str) -> None:
    (home.path / "policy.json").write_text(json.dumps({"require": list(names)}))


def test_the_policy_says_who_must_vouch(watched: Connection, home: Home, provider: Simulator, now: int) -> None:
    provider.lies["third-party"] = changed(status="revoked")
    policy(home, "manufacturer", "provider")
    assert "watcher" not in [one.validator for one in validate(watched, now, PARTITION).validations()]
    policy(home, "manufacturer", "validator:watcher")
    with pytest.raises(Refused, match="validation-failed"):
        validate(watched, now, PARTITION)


def test_a_validator_named_for_one_import_is_asked_besides(
    watched: Connection, home: Home, provider: Simulator, now: int
) -> None:
    policy(home, "manufacturer", "provider")
    for name in ("watcher", "https://watcher/"):
        asked = validate(watched, now, PARTITION, Route(validators=(name,))).validations()
        assert "watcher" in [one.validator for one in asked]


@pytest.mark.parametrize("names", [["manufacturer", "validator:stranger"], ["nobody"], ["provider"], []])
def test_a_policy_that_names_a_stranger_or_the_provider_alone_is_refused(
    watched: Connection, home: Home, now: int, names: list[str]
) -> None:
    policy(home, *names)
    with pytest.raises(Refused, match="configuration"):
        validate(watched, now, PARTITION)


def test_a_policy_that_cannot_be_read_is_not_passed_over(watched: Connection, home: Home, now: int) -> None:
    (home.path / "policy.json").write_text('{"require": ["manufacturer"], "except": []}')
    with pytest.raises(Refused, match="configuration"):
        validate(watched, now, PARTITION)


def test_a_validator_without_an_anchor_or_without_tls_is_refused(watched: Connection, home: Home, now: int) -> None:
    with pytest.raises(Refused, match="no trust anchor"):
        validate(watched, now, PARTITION, Route(validators=("stranger",)))
    known = validators.third_parties(home)["watcher"]
    with pytest.raises(Refused, match="must be https"):
        validators.add(home, "plain", msgspec.structs.replace(known, url="http://watcher"))
    with pytest.raises(Refused, match="malformed"):
        validators.add(home, "../owner", known)


def test_a_validator_that_is_removed_is_not_asked(watched: Connection, home: Home, now: int) -> None:
    validators.remove(home, "watcher")
    assert "watcher" not in [one.validator for one in validate(watched, now, PARTITION).validations()]
    with pytest.raises(Refused, match="not-found"):
        validators.remove(home, "watcher")
