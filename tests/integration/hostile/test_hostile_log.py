"""A portal that would hide, alter or invent what happened: the client notices when it verifies the log."""

import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom.protocol import jws
from strongroom.protocol.encoding import from_b64u
from strongroom.protocol.log import Entry
from strongroom.protocol.mechanisms import Usage
from strongroom.protocol.statements import Checkpoint, LaneHead
from tests.support.client import Client
from tests.support.hostile import Body, HostilePortal
from tests.support.refusals import refused
from tests.support.sealed import SealedDevice

SIGNER = Ed25519PrivateKey.generate()


@pytest.fixture
def used(alice: Client) -> Client:
    """Alice, who has a key and has used it six times: so there are an administrative lane and workers' lanes."""
    alice.import_key("payments")
    for _ in range(6):
        alice.operate(Usage.HASH, "payments", b"hello")
    return alice


def worked(client: Client) -> str:
    """The workers' lane with the most entries: at least three."""
    lanes = client.portal.device.entries(client.partition)
    return max((name for name in lanes if name != "admin"), key=lambda name: len(lanes[name]))


Change = Callable[[list[bytes]], list[bytes]]


def pages(portal: HostilePortal, lane: str, change: Change) -> None:
    """From now on the portal shows this lane as `change` makes it."""

    def answer(body: Body) -> Body:
        if body["lane"] != lane:
            return portal.honest("log", body)
        entries = change(portal.device.entries(body["partition"])[lane])
        lines = [{"lane": lane, "n": n, "entry": entry} for n, entry in enumerate(entries, start=1)]
        return {"lanes": [lane], "entries": lines[int(body["after"]) :]}

    portal.does["log"] = answer


def rewritten(entry: bytes, **changes: object) -> bytes:
    return msgspec.json.encode(msgspec.structs.replace(msgspec.json.decode(entry, type=Entry), **changes))


CHANGES: dict[str, Change] = {
    "the last is hidden": lambda entries: entries[:-1],
    "the first is hidden": lambda entries: entries[1:],
    "one in the middle is hidden": lambda entries: [entries[0], *entries[2:]],
    "all are hidden": lambda entries: [],
    "two are exchanged": lambda entries: [entries[1], entries[0], *entries[2:]],
    "one stands there twice": lambda entries: [entries[0], entries[0], *entries[2:]],
    "one is altered": lambda entries: [*entries[:-1], rewritten(entries[-1], principal="device:another")],
    "one is altered in one bit": lambda entries: [bytes([entries[0][0] ^ 1]) + entries[0][1:], *entries[1:]],
    "one is written anew with the same content": lambda entries: [b" " + entries[0], *entries[1:]],
    "one is put before": lambda entries: [rewritten(entries[0], n=0), *entries],
}


@pytest.mark.parametrize("lane", ["admin", "worker"])
@pytest.mark.parametrize("name", CHANGES)
def test_a_lane_that_is_not_shown_as_it_was_written_is_noticed(
    used: Client, portal: HostilePortal, name: str, lane: str
) -> None:
    pages(portal, worked(used) if lane == "worker" else lane, CHANGES[name])
    with refused("log-inconsistent"):
        used.verify_log()
    assert not used.home.kept("checkpoints", used.partition)


def test_an_entry_that_is_put_behind_the_last_is_not_believed(used: Client, portal: HostilePortal) -> None:
    lane = worked(used)
    pages(portal, lane, lambda entries: [*entries, rewritten(entries[-1], n=len(entries) + 1)])
    assert len(used.verify_log().lanes[lane]) == len(portal.device.entries(used.partition)[lane])


def test_the_lanes_of_another_customer_are_not_shown_as_this_ones(
    used: Client, charlie: Client, portal: HostilePortal
) -> None:
    portal.does["log"] = lambda body: portal.honest("log", body | {"partition": charlie.partition, "lane": "admin"})
    with refused("log-inconsistent"):
        used.verify_log()


# --- checkpoints ---


def test_an_old_checkpoint_with_the_log_as_it_was_then_is_refused(used: Client, portal: HostilePortal) -> None:
    used.verify_log()
    old = used.home.kept("checkpoints", used.partition)
    portal.does["checkpoint"] = lambda _: {"checkpoint": old}
    with refused("nonce-mismatch"):
        used.verify_log()


def test_the_checkpoint_of_another_partition_is_refused(used: Client, charlie: Client, portal: HostilePortal) -> None:
    portal.does["checkpoint"] = lambda body: portal.honest("checkpoint", body | {"partition": charlie.partition})
    with refused("log-inconsistent"):
        used.verify_log()
    portal.does["checkpoint"] = lambda body: portal.honest("checkpoint", body | {"partition": ""})
    with refused("log-inconsistent"):
        used.verify_log()


def checkpoint_of(token: str) -> Checkpoint:
    return jws.read_unverified(token, Checkpoint)


def without_a_lane(true: str) -> Checkpoint:
    says = checkpoint_of(true)
    return msgspec.structs.replace(says, lanes={"admin": says.lanes["admin"]})


def shorter(true: str) -> Checkpoint:
    says = checkpoint_of(true)
    return msgspec.structs.replace(says, lanes=says.lanes | {"admin": LaneHead(0, "00" * 32)})


@pytest.mark.parametrize("make", [without_a_lane, shorter, checkpoint_of])
def test_a_checkpoint_that_the_device_did_not_sign_is_refused(
    used: Client, portal: HostilePortal, make: Callable[[str], Checkpoint]
) -> None:
    def signed_by_the_portal(true: Body) -> Body:
        x5c = jws.read_header(true["checkpoint"])["x5c"]
        return {"checkpoint": jws.sign(make(true["checkpoint"]), SIGNER, x5c=x5c)}

    def under_the_devices_signature(true: Body) -> Body:
        head, body, signature = true["checkpoint"].split(".")
        mine = jws.sign(make(true["checkpoint"]), SIGNER).split(".")[1]
        assert make is checkpoint_of or from_b64u(mine) != from_b64u(body)
        return {"checkpoint": f"{head}.{mine}.{signature}"}

    portal.alters("checkpoint", signed_by_the_portal)
    with refused("signature-invalid"):
        used.verify_log()
    if make is not checkpoint_of:
        portal.alters("checkpoint", under_the_devices_signature)
        with refused("signature-invalid"):
            used.verify_log()


def test_a_lane_is_counted_also_while_its_worker_is_gone(used: Client, device: SealedDevice) -> None:
    before = used.verify_log()
    device.workers = 1
    try:
        device.restart()
        assert set(used.verify_log().checkpoint.lanes) == set(before.checkpoint.lanes)
    finally:
        device.workers = 2
        device.restart()
    assert used.verify_log().extends is not None


# --- the whole device put back to an older state ---


def test_a_device_that_is_put_back_is_noticed_by_the_kept_checkpoint_although_it_signs_what_it_does_then(
    alice: Client, portal: HostilePortal, device: SealedDevice, tmp_path: Path
) -> None:
    alice.import_key("payments")
    shutil.copytree(device.folder, tmp_path / "old")
    for _ in range(3):
        alice.operate(Usage.HASH, "payments", b"hello")
    alice.verify_log()
    # Root of the host puts the state files back.
    device.kill()
    device.folder.rename(tmp_path / "newer")
    shutil.copytree(tmp_path / "old", device.folder)
    device.start()
    device.unseal()
    with refused("log-inconsistent"):
        alice.verify_log()
    # The log goes on otherwise, until it is as long as the one that was seen, and longer.
    for _ in range(3):
        for _ in range(6):
            alice.operate(Usage.HASH, "payments", b"hello")
        with refused("log-inconsistent"):
            alice.verify_log()
