"""Any disagreement about a key stops the client before anything is encrypted."""

import time
from collections.abc import Callable
from typing import Any

import msgspec
import pytest
from authorities import PARTITION, Authority
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from simulator import Simulator

from strongroom.client import imports
from strongroom.client.connection import Connection
from strongroom.client.home import Home
from strongroom.client.material import read_material
from strongroom.client.trust import validate
from strongroom.protocol import jws
from strongroom.protocol.access import AccessList
from strongroom.protocol.certificates import Role
from strongroom.protocol.credentials import public_credential
from strongroom.protocol.errors import Refused
from strongroom.protocol.mechanisms import Usage
from strongroom.protocol.sealing import RecipientPrivateKey
from strongroom.protocol.terms import Terms, new_salt

STRANGER = "A" * 43
Change = Callable[[Any], Any]


def changed(**fields: Any) -> Change:
    return lambda statement: msgspec.structs.replace(statement, **fields)


def of_partition(**fields: Any) -> Change:
    return lambda statement: msgspec.structs.replace(
        statement, partition=msgspec.structs.replace(statement.partition, **fields)
    )


def test_an_honest_provider_is_believed_and_the_evidence_names_everyone_who_answered(
    listed: Connection, now: int, provider: Simulator
) -> None:
    evidence = validate(listed, now, PARTITION)
    assert evidence.mode == "development"
    assert [(one.validator, one.subject, one.status) for one in evidence.validations()] == [
        ("manufacturer", "vendor-key", "in-force"),
        ("provider", "provider-key", "in-force"),
        (provider.device_id, "partition", "operational"),
    ]


def test_without_a_partition_the_keys_alone_are_validated(connection: Connection, now: int) -> None:
    assert validate(connection, now).attestation is None


AN_HOUR_AGO = int(time.time()) - 3600
LIES: list[tuple[str, Change, str]] = [
    ("attestation", changed(nonce="an-older-nonce"), "nonce-mismatch"),
    ("attestation", changed(issued_at=AN_HOUR_AGO), "stale"),
    ("attestation", changed(issued_at=AN_HOUR_AGO + 7200), "stale"),
    ("attestation", changed(mode="production"), "validation-failed"),
    ("attestation", changed(device="dev_other"), "validation-failed"),
    ("attestation", changed(state="sealed"), "hsm-sealed"),
    ("attestation", changed(partition=None), "validation-failed"),
    ("attestation", of_partition(partition="pt_other"), "validation-failed"),
    ("attestation", of_partition(devices=["dev_other"]), "validation-failed"),
    ("attestation", of_partition(owners=[STRANGER]), "owner-mismatch"),
    ("attestation", of_partition(owners=[]), "owner-mismatch"),
    ("attestation", of_partition(access_list_version=7), "validation-failed"),
    ("attestation", of_partition(access_list_digest="0" * 64), "validation-failed"),
    ("attestation", changed(vendor_keys=[]), "validation-failed"),
    ("attestation", changed(provider_keys=[]), "validation-failed"),
    ("vendor-key", changed(key_id="vk_other"), "validation-failed"),
    ("vendor-key", changed(purpose="provider-key"), "validation-failed"),
    ("vendor-key", changed(device="dev_other"), "validation-failed"),
    ("vendor-key", changed(public_key=RecipientPrivateKey.generate().public().text), "validation-failed"),
    ("provider-key", changed(key_id="pk_other"), "validation-failed"),
    ("provider-key", changed(purpose="unseal-key"), "validation-failed"),
    ("provider-key", changed(public_key=RecipientPrivateKey.generate().public().text), "validation-failed"),
    *[
        (who, lie, code)
        for who in ("manufacturer", "provider")
        for lie, code in [
            (changed(nonce="an-older-nonce"), "nonce-mismatch"),
            (changed(issued_at=AN_HOUR_AGO), "stale"),
            (changed(expires_at=AN_HOUR_AGO), "stale"),
            (changed(status="revoked"), "validation-failed"),
            (changed(status="unknown"), "validation-failed"),
            (changed(status="retired"), "validation-failed"),
            (changed(device_status="revoked"), "validation-failed"),
            (changed(key_id="vk_other"), "validation-failed"),
            (changed(public_key_digest="0" * 64), "validation-failed"),
            (changed(device="dev_other"), "validation-failed"),
            (changed(provider="another-provider"), "validation-failed"),
            (changed(not_before=AN_HOUR_AGO + 7200), "validation-failed"),
            (changed(not_after=AN_HOUR_AGO), "validation-failed"),
        ]
    ],
]


@pytest.mark.parametrize("told", LIES, ids=[f"{number}-{one[0]}-{one[2]}" for number, one in enumerate(LIES)])
def test_a_lie_in_any_statement_stops_the_import_and_nothing_is_sent(
    listed: Connection, provider: Simulator, now: int, told: tuple[str, Change, str]
) -> None:
    statement, lie, code = told
    provider.lies[statement] = lie
    with pytest.raises(Refused) as refused:
        import_aes(listed, now)
    assert refused.value.code == code
    assert not [path for _, path, _ in provider.requests if path == "/imports"]


def test_a_partition_with_a_second_owner_that_alice_did_not_name_is_refused(
    listed: Connection, provider: Simulator, now: int
) -> None:
    own = listed.home.credential("owner").fingerprint
    provider.lies["attestation"] = of_partition(owners=[own, STRANGER])
    with pytest.raises(Refused, match="owner-mismatch"):
        validate(listed, now, PARTITION)


@pytest.mark.parametrize("statement", ["attestation", "vendor-key", "provider-key", "manufacturer"])
def test_a_statement_under_another_root_is_refused(
    listed: Connection, provider: Simulator, now: int, statement: str
) -> None:
    role: Role = "statement" if statement == "manufacturer" else "device"
    provider.forgeries[statement] = Authority.make(role, Authority.make("root"))
    with pytest.raises(Refused, match="certificate-invalid"):
        validate(listed, now, PARTITION)


def test_a_device_cannot_speak_for_the_manufacturer(listed: Connection, provider: Simulator, now: int) -> None:
    provider.forgeries["manufacturer"] = provider.device
    with pytest.raises(Refused, match="certificate-invalid"):
        validate(listed, now, PARTITION)


def test_another_device_of_the_same_manufacturer_cannot_endorse_this_devices_keys(
    listed: Connection, provider: Simulator, now: int
) -> None:
    provider.forgeries["provider-key"] = Authority.make("device", provider.root)
    with pytest.raises(Refused, match="validation-failed"):
        validate(listed, now, PARTITION)


def test_a_provider_key_that_another_validator_signed_for_is_refused(
    listed: Connection, home: Home, provider: Simulator, now: int
) -> None:
    provider.validation_key = Ed25519PrivateKey.generate()
    with pytest.raises(Refused, match="signature-invalid"):
        validate(listed, now, PARTITION)


def test_an_older_access_list_is_noticed_even_if_the_device_attests_to_it(
    listed: Connection, provider: Simulator, now: int
) -> None:
    provider.version, provider.document = 0, None
    with pytest.raises(Refused, match="access-list-conflict"):
        validate(listed, now, PARTITION)


def test_an_access_list_by_a_stranger_is_refused(listed: Connection, provider: Simulator, now: int) -> None:
    mallory = Ed25519PrivateKey.generate()
    theirs = AccessList(partition=PARTITION, version=2, previous="", owners=[public_credential(mallory)], principals=[])
    provider.version, provider.document = 2, jws.sign(theirs, mallory)
    with pytest.raises(Refused, match="not-the-owner"):
        validate(listed, now, PARTITION)


def import_aes(connection: Connection, now: int) -> None:
    material = read_material(bytes(range(32)))
    terms = Terms(salt=new_salt(), key_type=material.key_type, usages=[Usage.ENCRYPT])
    imports.import_key(connection, material, "files", terms, now)
