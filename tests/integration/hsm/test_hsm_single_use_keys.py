"""A vendor key of RSA-AES-KWP serves one import, into one partition, for one owner, within the hour, once."""

import os
from collections.abc import Callable
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom.protocol import commands as c
from strongroom.protocol import suites
from strongroom.protocol.certificates import verify_statement
from strongroom.protocol.credentials import public_credential
from strongroom.protocol.encoding import make_id
from strongroom.protocol.mechanisms import KeyType
from strongroom.protocol.statements import Attestation
from tests.support.imports import changed, code_of, keys_of, resigned
from tests.support.materials import make_terms
from tests.support.refusals import refused
from tests.support.sealed import Customer, SealedDevice, nonce, now
from tests.support.ways import envelope_by

WAY = ("RSA-AES-KWP", "channel")
TERMS = make_terms(KeyType.AES_256).encode()


def single(customer: Customer, import_id: str, owner: str) -> c.MakeSingleUseKeyReply:
    command = c.MakeSingleUseKey(partition=customer.partition, import_id=import_id, owner=owner)
    return customer.hsm.line().call(command, c.MakeSingleUseKeyReply)


def test_the_device_endorses_it_for_exactly_one_import(alice: Customer) -> None:
    import_id = make_id("imp_")
    says = alice.single_use_endorsement(import_id)
    assert (says.purpose, says.suite, says.import_id) == ("single-use-vendor-key", "RSA-AES-KWP", import_id)
    assert (says.partition, says.device) == (alice.partition, alice.published.device)
    assert says.owner == public_credential(alice.owner).fingerprint
    assert says.expires_at == says.issued_at + 3600
    assert now() - 60 < says.issued_at <= now()
    assert suites.public_key(says.suite, says.public_key).key_id("vk_") == says.key_id


def test_it_is_neither_published_nor_attested_among_the_long_lived(alice: Customer) -> None:
    key_id = alice.single_use_key(make_id("imp_")).key_id("vk_")
    line = alice.hsm.line()
    published = line.call(c.PublishKeys(), c.PublishKeysReply)
    token = line.call(c.Attest(nonce=nonce()), c.AttestReply).attestation
    attested = verify_statement(token, Attestation, [alice.hsm.factory.root], "device", now())[0]
    assert len(published.vendor_keys) == len(attested.vendor_keys) == 1
    assert key_id not in attested.vendor_keys


def test_it_is_made_for_an_owner_of_the_partition_and_a_sound_import_id(alice: Customer, charlie: Customer) -> None:
    mine = public_credential(alice.owner).fingerprint
    for stranger in (public_credential(charlie.owner).fingerprint, public_credential(alice.device_key).fingerprint, ""):
        with refused("wrong-owner"):
            single(alice, make_id("imp_"), stranger)
    for spoilt in ("", "imp_", "imp_../../x", make_id("key_"), make_id("imp_") + "a", make_id("imp_").upper()):
        with refused("malformed"):
            single(alice, spoilt, mine)
    with refused("not-found"):
        alice.hsm.line().call(
            c.MakeSingleUseKey(partition="pt_none", import_id=make_id("imp_"), owner=mine), c.MakeSingleUseKeyReply
        )


def test_it_serves_no_other_import_id(alice: Customer, name: str) -> None:
    key = alice.single_use_key(make_id("imp_"))
    envelope = envelope_by(alice, WAY, os.urandom(32), TERMS, name, vendor_key=key, import_id=make_id("imp_"))
    assert code_of(alice, envelope) == "vendor-key-unknown"


def test_it_serves_no_other_partition_even_of_the_same_customer(hsm: SealedDevice) -> None:
    first, second = hsm.customer("acme"), hsm.customer("acme")
    second.device_key = first.device_key
    second.allow(second.device_entry(["import"]))
    import_id = make_id("imp_")
    key = first.single_use_key(import_id)
    envelope = envelope_by(second, WAY, os.urandom(32), TERMS, "n", vendor_key=key, import_id=import_id)
    assert code_of(second, envelope) == "vendor-key-unknown"


def test_it_serves_no_other_owner_of_the_partition(hsm: SealedDevice) -> None:
    customer = hsm.customer("acme")
    first, second = customer.owner, Ed25519PrivateKey.generate()
    both = [public_credential(first), public_credential(second)]
    listed = customer.access_list(customer.device_entry(["import"]))
    customer.put_access(msgspec.structs.replace(listed, owners=both))
    import_id = make_id("imp_")
    key = customer.single_use_key(import_id)  # for the first owner
    fields = {"vendor_key": key, "import_id": import_id}
    for owner, code in ((both[1], "vendor-key-unknown"), (both[0], "ok")):
        envelope = envelope_by(customer, WAY, os.urandom(32), TERMS, "n", owner=owner.fingerprint, **fields)
        assert code_of(customer, envelope) == code


def test_it_serves_once(alice: Customer, name: str) -> None:
    import_id = make_id("imp_")
    key = alice.single_use_key(import_id)
    fields = {"vendor_key": key, "import_id": import_id}
    envelope = envelope_by(alice, WAY, os.urandom(32), TERMS, name, **fields)
    receipt = alice.send(envelope)
    # The same header again is the same import, whatever comes with it.
    assert alice.send(envelope) == receipt
    assert alice.send(changed(envelope, material=b"", terms=b"")) == receipt
    assert keys_of(alice).count(receipt) == 1
    # Another envelope under the key is another import.
    again = envelope_by(alice, WAY, os.urandom(32), TERMS, f"{name}-b", **fields)
    assert code_of(alice, again) == "import-replayed"
    assert code_of(alice, resigned(alice, again, import_id=make_id("imp_"))) == "vendor-key-unknown"


def test_a_refused_import_does_not_use_it_up(alice: Customer, name: str) -> None:
    import_id = make_id("imp_")
    fields = {"vendor_key": alice.single_use_key(import_id), "import_id": import_id}
    for material, terms, code in (
        (os.urandom(31), TERMS, "key-unparsable"),
        (os.urandom(32), b"{}", "terms-refused"),
        (os.urandom(32), TERMS, "ok"),
    ):
        assert code_of(alice, envelope_by(alice, WAY, material, terms, name, **fields)) == code


def test_its_private_half_is_gone_after_use(make_device: Callable[..., SealedDevice]) -> None:
    device = make_device(workers=1)
    device.bring_up()
    customer = device.customer()
    envelope = envelope_by(customer, WAY, os.urandom(32), TERMS, "n")
    [kept] = [one for path, one in device.stored().items() if "/single-use/" in path]
    assert device.files_with(kept)
    assert code_of(customer, envelope) == "ok"
    assert not [path for path in device.stored() if "/single-use/" in path]
    assert device.files_with(kept) == []


def test_it_outlives_a_restart_within_the_hour_and_not_the_hour(
    make_device: Callable[..., SealedDevice], tmp_path: Path
) -> None:
    device = make_device(workers=1)
    device.bring_up()
    customer = device.customer()
    late, in_time = (envelope_by(customer, WAY, os.urandom(32), TERMS, f"n{n}") for n in range(2))
    device.kill()
    # 1. The same device, within the hour.
    device.turn_clock(3500, tmp_path)
    device.start()
    device.unseal()
    assert code_of(customer, in_time) == "ok"
    device.stop()
    # 2. And an hour later.
    device.turn_clock(3600, tmp_path)
    device.start()
    device.unseal()
    assert code_of(customer, late) == "vendor-key-unknown"
