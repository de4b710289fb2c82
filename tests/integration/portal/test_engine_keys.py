"""Provider keys in the engine's custody: made, published, vouched for, replaced, and never at rest in clear."""

import base64
import io
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_der_private_key

from stack import postgres
from strongroom.protocol import jws, suites
from strongroom.protocol.encoding import digest, from_b64u
from strongroom.protocol.statements import ValidationStatement
from strongroom.protocol.suites import SUITES
from tests.support.officers import Officer
from tests.support.pages import visitor
from tests.support.portal import VALIDATION_KEY, Browser, Organisation, code_of
from tests.support.sealed import Customer, nonce, now
from tests.support.transports import engine_key, make_envelope, post_import

pytestmark = pytest.mark.usefixtures("engine_keys")


def run(*arguments: str) -> str:
    """The management command's standard output."""
    from django.core.management import call_command

    out = io.StringIO()
    call_command(*arguments, stdout=out)
    return out.getvalue()


def validated(key_id: str) -> ValidationStatement:
    mine = nonce()
    answer = Browser().post("validation", json={"nonce": mine, "key_id": key_id}).json()
    says = jws.verify(answer["statement"], ValidationStatement, VALIDATION_KEY.public_key())
    assert (says.nonce, says.key_id) == (mine, key_id)
    return says


@pytest.fixture
def other_key_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A key file of the test's own in place of the installation's."""
    from django.conf import settings

    from tee import at_rest

    path = tmp_path / "engine-key"
    path.write_bytes(b"k" * 32)
    path.chmod(0o600)
    monkeypatch.setattr(settings, "ENGINE_KEY_FILE", str(path))
    at_rest._key.cache_clear()
    yield path
    at_rest._key.cache_clear()


@pytest.mark.parametrize("suite", SUITES)
def test_anyone_gets_the_key_of_each_suite_and_its_id_is_bound_to_its_bytes(stranger: Browser, suite: str) -> None:
    key = engine_key(suite)
    assert suites.public_key(suite, key["public_key"]).key_id("pk_") == key["key_id"]
    assert key["status"] == "in-force"
    assert key["not_before"] <= now()
    assert key["not_after"] is None
    assert len(stranger.get("trust").json()["engine_keys"]) == len(SUITES)


@pytest.mark.parametrize("suite", SUITES)
def test_the_providers_validator_vouches_for_it_without_a_device(suite: str) -> None:
    key = engine_key(suite)
    says = validated(key["key_id"])
    assert (says.subject, says.status, says.provider) == ("provider-key", "in-force", "provider")
    assert (says.device, says.device_status) == ("", "in-force")
    assert says.public_key_digest == digest(from_b64u(key["public_key"]))
    assert (says.not_before, says.not_after) == (key["not_before"], None)


@pytest.mark.parametrize("suite", SUITES)
def test_after_a_rotation_the_new_key_is_in_force_and_the_old_one_retired(suite: str) -> None:
    from tee.models import EngineKey

    before, others = engine_key(suite), [engine_key(one) for one in SUITES if one != suite]
    printed = run("rotate_engine_key", "--suite", suite)
    after = engine_key(suite)
    assert after["key_id"] != before["key_id"]
    assert after["key_id"] in printed
    assert [engine_key(one) for one in SUITES if one != suite] == others
    retired = validated(before["key_id"])
    assert (retired.status, retired.device, retired.device_status) == ("retired", "", "in-force")
    assert retired.public_key_digest == digest(from_b64u(before["public_key"]))
    assert retired.not_after is not None
    assert retired.not_after <= now()
    assert validated(after["key_id"]).status == "in-force"
    # Nothing can be opened with the old one any more, by anyone who has the database and the file.
    assert bytes(EngineKey.objects.using("provider").get(key_id=before["key_id"]).private_key) == b""


def test_making_keys_makes_only_what_is_missing() -> None:
    from tee.models import EngineKey

    before = {suite: engine_key(suite)["key_id"] for suite in SUITES}
    assert run("make_engine_keys") == "Each suite has a key in force.\n"
    EngineKey.objects.using("provider").filter(key_id=before["RSA-AES-KWP"]).delete()
    printed = run("make_engine_keys")
    made = re.findall(r"(pk_\w+) \(([\w-]+)\)", printed)
    assert made == [(engine_key("RSA-AES-KWP")["key_id"], "RSA-AES-KWP")]
    assert engine_key("HPKE-XWING")["key_id"] == before["HPKE-XWING"]


def test_a_rotation_is_on_record() -> None:
    from portal.audit.models import PortalEvent

    run("rotate_engine_key", "--suite", "HPKE-XWING")
    told = PortalEvent.objects.using("provider").filter(tag="provider:engine-key:made").first()
    assert told is not None
    assert told.details == {"key": engine_key("HPKE-XWING")["key_id"], "suite": "HPKE-XWING"}


def test_without_a_key_file_no_keys_are_made(monkeypatch: pytest.MonkeyPatch) -> None:
    from django.conf import settings
    from django.core.management import CommandError

    monkeypatch.setattr(settings, "ENGINE_KEY_FILE", "")
    for command in (["make_engine_keys"], ["rotate_engine_key", "--suite", "HPKE-XWING"]):
        with pytest.raises(CommandError, match="STRONGROOM_ENGINE_KEY_FILE"):
            run(*command)


# --- at rest ----------------------------------------------------------------------------------------------------------


def secrets_of(suite: str) -> list[bytes]:
    """What of the private half must be nowhere: the whole, and parts that would be enough."""
    from tee import at_rest
    from tee.models import EngineKey

    row = EngineKey.objects.using("provider").get(suite=suite, status="in-force")
    raw = at_rest.open_sealed(row.key_id, bytes(row.private_key))
    if suite == "HPKE-XWING":
        return [raw, raw[:64], raw[64:]]
    key = load_der_private_key(raw, None)
    assert isinstance(key, RSAPrivateKey)
    numbers = key.private_numbers()
    return [raw, *(one.to_bytes((one.bit_length() + 7) // 8, "big") for one in (numbers.p, numbers.q, numbers.d))]


def spellings(secret: bytes) -> list[bytes]:
    return [secret, secret.hex().encode(), base64.b64encode(secret)[:-4], base64.urlsafe_b64encode(secret)[:-4]]


def test_no_private_half_is_in_clear_in_a_dump_of_the_whole_database() -> None:
    from django.conf import settings
    from psycopg.conninfo import make_conninfo

    from tee.models import EngineKey

    everything = make_conninfo(settings.DATABASE_URL, user="postgres")
    command = [str(postgres.BINARIES / "pg_dump"), "--dbname", everything]
    dump = subprocess.run(command, capture_output=True, check=True).stdout
    # The same search finds what is there: the encrypted halves, and the public ones.
    for row in EngineKey.objects.using("provider").filter(status="in-force"):
        assert bytes(row.private_key).hex().encode() in dump
        assert row.public_key.encode() in dump
        for secret in secrets_of(row.suite):
            for spelling in spellings(secret):
                assert spelling not in dump


def test_the_tenants_role_cannot_even_read_what_is_encrypted() -> None:
    from django.conf import settings

    with psycopg.connect(settings.DATABASE_URL, autocommit=True) as connection:
        for statement in (
            "SELECT private_key FROM tee_enginekey",
            "SELECT key_id FROM tee_enginekey",
            "UPDATE tee_enginekey SET status = 'retired'",
            "DELETE FROM tee_enginekey",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connection.execute(statement)


def test_one_encrypted_half_does_not_pass_for_another(
    acme: Organisation, acme_customer: Customer, fresh_name: str
) -> None:
    from tee import at_rest
    from tee.models import EngineKey

    row = EngineKey.objects.using("provider").get(suite="HPKE-XWING", status="in-force")
    stranger = suites.generate("HPKE-XWING")
    foreign = at_rest.seal(stranger.public().key_id("pk_"), stranger.raw)
    kept = bytes(row.private_key)
    envelope = make_envelope(acme, acme_customer, ("engine", "HPKE-XWING"), fresh_name)
    EngineKey.objects.using("provider").filter(pk=row.pk).update(private_key=foreign)
    try:
        assert code_of(post_import(acme, acme_customer, envelope)) == "internal"
    finally:
        EngineKey.objects.using("provider").filter(pk=row.pk).update(private_key=kept)
    assert post_import(acme, acme_customer, envelope).status_code == 201


def test_another_key_file_opens_nothing_and_says_so_to_the_provider_alone(
    acme: Organisation,
    acme_customer: Customer,
    fresh_name: str,
    other_key_file: Path,
    caplog: pytest.LogCaptureFixture,
) -> None:
    envelope = make_envelope(acme, acme_customer, ("engine", "HPKE-XWING"), fresh_name)
    response = post_import(acme, acme_customer, envelope)
    assert code_of(response) == "internal"
    assert "ENGINE" not in response.text
    assert "STRONGROOM_ENGINE_KEY_FILE is not what secrets were encrypted under" in caplog.text


@pytest.mark.parametrize("spoil", ["short", "readable", "missing"])
def test_a_key_file_that_is_none_or_that_others_may_read_is_not_used(other_key_file: Path, spoil: str) -> None:
    from django.core.exceptions import ImproperlyConfigured

    def spoiled() -> Any:
        if spoil == "short":
            return other_key_file.write_bytes(b"k" * 31)
        return other_key_file.chmod(0o640) if spoil == "readable" else other_key_file.unlink()

    spoiled()
    before = engine_key("HPKE-XWING")
    with pytest.raises(ImproperlyConfigured, match="STRONGROOM_ENGINE_KEY_FILE"):
        run("rotate_engine_key", "--suite", "HPKE-XWING")
    assert engine_key("HPKE-XWING") == before


# --- the officers' page -----------------------------------------------------------------------------------------------


def test_officers_see_all_that_the_engine_has_and_had(officers: dict[str, Officer]) -> None:
    from tee.models import EngineKey

    run("rotate_engine_key", "--suite", "HPKE-XWING")
    page = visitor(officers["partition1"].user).get("/officer/devices/").content.decode()
    for row in EngineKey.objects.using("provider").all():
        assert row.key_id in page
        assert row.private_key == b"" or bytes(row.private_key).hex() not in page
    assert "retired" in page
