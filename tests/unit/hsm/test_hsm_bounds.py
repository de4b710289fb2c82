"""What the device bounds, beyond what a test could reach through its socket: lists, and single-use keys at a time."""

from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from hsm import ceremony, wrapping_keys
from hsm import records as r
from hsm.device import Device, open_device
from hsm.keys import list_keys
from hsm.wrapping_keys import MOST_SINGLE_USE_KEYS, make_single_use_key
from strongroom.protocol import commands as c
from strongroom.protocol.credentials import public_credential
from strongroom.protocol.encoding import make_id
from strongroom.protocol.frames import MAX_FRAME
from strongroom.protocol.mechanisms import KeyType
from strongroom.protocol.rsa_wrapping import RsaRecipientPrivateKey
from tests.support.hardware import Factory
from tests.support.materials import make_terms
from tests.support.refusals import refused

QUICK_BITS = 1024
OWNER = public_credential(Ed25519PrivateKey.generate())


class Clock:
    """The device's time, which a test turns."""

    ahead = 0


@pytest.fixture
def device(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Device:
    """An operational device in this process, with the partitions `pt_1` and `pt_2`."""
    made, factory = open_device(tmp_path / "hsm"), Factory()
    csr = ceremony.make_identity(made, c.MakeIdentity()).csr  # type: ignore[attr-defined]
    install = c.InstallCertificate(certificate=factory.certify(csr), root=factory.root_pem)
    ceremony.install_certificate(made, install)
    made.unlock(made.unlocked_records(bytes(32)))
    with made.records.transaction() as changes:
        for partition in ("pt_1", "pt_2"):
            changes.put(f"partitions/{partition}", r.Partition("acme", "", [OWNER]))
    actual = made.now
    monkeypatch.setattr(Clock, "ahead", 0)
    monkeypatch.setattr(Device, "now", lambda _device: actual() + Clock.ahead)
    return made


@pytest.fixture
def _quick_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Keys of 1024 bits, so that a hundred are made in a moment."""

    def generate(_suite: str) -> RsaRecipientPrivateKey:
        key = rsa.generate_private_key(65537, QUICK_BITS)
        return RsaRecipientPrivateKey(key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()))

    monkeypatch.setattr(wrapping_keys, "generate", generate)


def single(device: Device, partition: str) -> None:
    command = c.MakeSingleUseKey(partition=partition, import_id=make_id("imp_"), owner=OWNER.fingerprint)
    make_single_use_key(device, command)


@pytest.mark.usefixtures("_quick_keys")
def test_a_partition_has_a_hundred_single_use_keys_at_a_time_and_the_oldest_makes_room(
    device: Device, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = "partitions/pt_1/single-use/"
    single(device, "pt_1")
    [oldest] = device.records.store.paths(folder)
    monkeypatch.setattr(Clock, "ahead", 10)
    for _ in range(MOST_SINGLE_USE_KEYS - 1):
        single(device, "pt_1")
    kept = set(device.records.store.paths(folder))
    assert len(kept) == MOST_SINGLE_USE_KEYS == 100
    # 1. For one more the oldest goes and no other; another partition has room of its own.
    single(device, "pt_1")
    assert kept - set(device.records.store.paths(folder)) == {oldest}
    single(device, "pt_2")
    # 2. They hold for an hour to the second.
    monkeypatch.setattr(Clock, "ahead", 3600)
    single(device, "pt_2")
    assert len(device.records.store.paths("partitions/pt_2/single-use/")) == 2
    # 3. Afterwards the expired are forgotten.
    monkeypatch.setattr(Clock, "ahead", 7500)
    single(device, "pt_1")
    assert len(device.records.store.paths(folder)) == 1


def put_keys(device: Device, names: list[str], versions: int) -> None:
    """Keys with receipts of the usual size."""
    terms = make_terms(KeyType.AES_256).encode()
    with device.records.transaction() as changes:
        for name in names:
            changes.put(f"partitions/pt_1/keys/{name}", r.NamedKey(name, versions))
            for n in range(1, versions + 1):
                stored = r.StoredKey(f"{name}:{n}:".ljust(2000, "."), name, n, terms, bytes(32))
                changes.put(f"partitions/pt_1/keys/{name}/{n}", stored)


def pages(device: Device) -> list[list[str]]:
    """The list of `pt_1`, page by page."""
    found, after = [], ""
    while True:
        reply = list_keys(device, c.ListKeys(partition="pt_1", after=after))
        assert isinstance(reply, c.ListKeysReply)
        found.append([receipt.rstrip(".") for receipt, _ in reply.keys])
        assert sum(len(receipt) for receipt, _ in reply.keys) < MAX_FRAME // 2
        after = reply.last
        if not after:
            return found


def test_a_list_of_many_keys_or_of_many_versions_comes_in_pages_that_fit_a_frame(device: Device) -> None:
    put_keys(device, [f"key_{n:04}" for n in range(1500)], 1)
    put_keys(device, ["key_many"], 2500)
    whole = pages(device)
    assert len(whole) >= 4
    wanted = [f"key_{n:04}:1:" for n in range(1500)] + [f"key_many:{n}:" for n in range(1, 2501)]
    assert [one for page in whole for one in page] == wanted


def test_a_list_goes_on_after_a_key_or_after_one_of_its_versions(device: Device) -> None:
    put_keys(device, ["key_a", "key_b"], 12)

    def after(cursor: str) -> list[str]:
        reply = list_keys(device, c.ListKeys(partition="pt_1", after=cursor))
        assert isinstance(reply, c.ListKeysReply)
        return [receipt.rstrip(".") for receipt, _ in reply.keys]

    assert after("key_a") == [f"key_b:{n}:" for n in range(1, 13)]
    assert after("key_b/9") == ["key_b:10:", "key_b:11:", "key_b:12:"]
    assert after("key_b/12") == after("key_c") == []
    for cursor in ("key_a/x", "key_a/", "/../x", "key_a/1/1", "Key", f"key_a/{'9' * 19}"):
        with refused("malformed"):
            after(cursor)
