"""An owner lets a security key change who is listed; the device takes that from it, and nothing more."""

from collections.abc import Callable

import msgspec
import pytest

from strongroom.protocol import commands as c
from strongroom.protocol import jws
from strongroom.protocol.access import AccessList, Principal, access_list_digest, read_list, sequel
from strongroom.protocol.credentials import public_credential
from strongroom.protocol.encoding import canonical_json, read_json
from strongroom.protocol.mechanisms import KeyType
from tests.support.customer import OPERATIONS
from tests.support.imports import Imported
from tests.support.refusals import refused
from tests.support.sealed import Customer, SealedDevice
from tests.support.security_keys import SoftwareKey


class Edited:
    """A customer, and a security key that the owner lets change its access list."""

    def __init__(self, customer: Customer) -> None:
        self.customer, self.key = customer, SoftwareKey("dora")
        device, client = customer.device_entry(["import", *OPERATIONS]), customer.client_entry(OPERATIONS)
        self.everyone = [device, client]
        self.let(self.key)

    def let(self, *keys: SoftwareKey) -> None:
        """The owner lets exactly these keys."""
        listed = self.customer.access_list(*self.everyone)
        editors = [one.editor(one.name) for one in keys]
        self.customer.put_access(msgspec.structs.replace(listed, editors=editors or msgspec.UNSET))

    @property
    def document(self) -> str:
        return self.customer.document or ""

    def put(self, document: str, partition: str = "") -> int:
        command = c.UpdateAccess(partition=partition or self.customer.partition, document=document)
        version = self.customer.hsm.line().call(command, c.UpdateAccessReply).version
        self.customer.document, self.customer.version = document, version
        return version

    def edit(self, *principals: Principal, **spoiled: int) -> int:
        return self.put(self.key.edit(self.document, list(principals), **spoiled))

    def in_force(self) -> AccessList:
        command = c.ShowAccess(partition=self.customer.partition)
        return read_list(self.customer.hsm.line().call(command, c.ShowAccessReply).document)


@pytest.fixture
def dora(hsm: SealedDevice) -> Edited:
    return Edited(hsm.customer("acme"))


def test_it_delists_and_lists_a_client_at_once_in_every_worker(
    dora: Edited, import_key: Callable[..., Imported]
) -> None:
    key = import_key(dora.customer, KeyType.EC_P256).id
    lines = [dora.customer.hsm.line("operations") for _ in range(6)]
    request = dora.customer.request(key, "sign", b"m")
    for _ in range(3):
        dora.edit(dora.everyone[0])
        assert {line.operate(request).code for line in lines} == {"access-denied"}
        dora.edit(*dora.everyone)
        assert [line.operate(request).code for line in lines] == [""] * 6


def test_the_log_holds_what_it_signed_and_names_it(dora: Edited) -> None:
    dora.edit(dora.everyone[0])
    entries = dora.customer.hsm.verified_log(dora.customer.partition)["admin"]
    owner = public_credential(dora.customer.owner).fingerprint
    updates = [one for one in entries if one.event == "access:update"]
    assert [one.principal for one in updates] == [owner, owner, dora.key.credential.fingerprint]
    assert updates[-1].details["document"] == dora.document
    assert updates[-1].digest == access_list_digest(dora.document)


def test_it_changes_neither_owners_nor_keys(dora: Edited) -> None:
    mine = public_credential(dora.customer.device_key)
    other = SoftwareKey("another").editor()
    for change in ({"owners": [mine]}, {"editors": [dora.key.editor("dora"), other]}, {"editors": msgspec.UNSET}):
        following = read_json(sequel(dora.document, dora.everyone), AccessList)
        payload = canonical_json(msgspec.structs.replace(following, **change))  # type: ignore[arg-type]
        with refused("beyond-an-editor"):
            dora.put(dora.key.sign_list(dora.document, payload))
    assert dora.in_force().version == 2


def test_the_same_sent_again_changes_nothing_and_an_earlier_one_is_refused(dora: Edited) -> None:
    first = dora.key.edit(dora.document, dora.everyone[:1])
    assert (dora.put(first), dora.put(first)) == (3, 3)
    dora.edit(*dora.everyone)
    with refused("access-list-conflict"):
        dora.put(first)
    assert dora.in_force().principals == dora.everyone


def test_a_key_of_another_partition_and_an_unknown_one_are_none(dora: Edited, hsm: SealedDevice) -> None:
    charlie = Edited(hsm.customer("other"))
    for key in (charlie.key, SoftwareKey("nobody")):
        with refused("not-an-editor"):
            dora.put(key.edit(dora.document, []))
    with refused("access-list-conflict"):
        dora.put(charlie.key.edit(charlie.document, []))
    # The same key in two partitions of the same owner: each list is for one of them.
    charlie.let(charlie.key, dora.key)
    with refused("access-list-conflict"):
        dora.put(dora.key.edit(charlie.document, []))


def test_a_key_that_the_owner_took_off_is_none_any_more(dora: Edited) -> None:
    prepared = dora.key.edit(dora.document, dora.everyone[:1])
    by_its_grant = dora.document
    dora.let()
    with refused("access-list-conflict"):
        dora.put(prepared)
    with refused("not-an-editor"):
        dora.put(dora.key.edit(dora.document, []))
    payload = canonical_json(
        msgspec.structs.replace(
            read_list(by_its_grant),
            version=dora.customer.version + 1,
            previous=access_list_digest(dora.document),
        )
    )
    with refused("access-list-conflict"):
        dora.put(dora.key.sign_list(by_its_grant, payload))


def test_a_counter_that_does_not_grow_is_refused_and_a_key_without_one_serves(dora: Edited) -> None:
    dora.edit(dora.everyone[0], counter=41)
    for counter in (41, 3, 0):
        with refused("security-key-counter"):
            dora.edit(*dora.everyone, counter=counter)
    dora.edit(*dora.everyone, counter=42)
    # Its counter is kept while an owner changes the list, and takes the key off and on again.
    dora.let()
    dora.let(dora.key)
    with refused("security-key-counter"):
        dora.edit(counter=42)
    dora.key = SoftwareKey("without a counter")
    dora.let(dora.key)
    for _ in range(2):
        dora.edit(*dora.everyone, counter=0)


def test_a_refused_change_uses_no_count_up(dora: Edited) -> None:
    with refused("access-list-conflict"):
        dora.put(dora.key.edit(dora.key.edit(dora.document, []), [], counter=1000))
    dora.edit(dora.everyone[0], counter=7)


def test_an_owner_undoes_what_it_did(dora: Edited) -> None:
    dora.edit()
    dora.customer.put_access(
        msgspec.structs.replace(dora.customer.access_list(*dora.everyone), editors=[dora.key.editor("dora")])
    )
    assert dora.in_force().principals == dora.everyone
    dora.edit(dora.everyone[1])


def test_an_owners_new_owner_rules_what_an_editor_may(dora: Edited) -> None:
    heir = dora.customer.device_key
    handed = msgspec.structs.replace(
        dora.customer.access_list(*dora.everyone),
        owners=[public_credential(heir)],
        editors=[dora.key.editor("dora")],
    )
    dora.put(jws.sign(handed, dora.customer.owner))
    dora.edit(dora.everyone[0])
    assert dora.in_force().owners == [public_credential(heir)]


def test_what_it_changed_and_its_counter_outlive_a_kill(make_device: Callable[..., SealedDevice]) -> None:
    device = make_device(workers=1)
    device.bring_up()
    dora = Edited(device.customer())
    dora.edit(dora.everyone[0], counter=9)
    device.kill()
    device.start()
    device.unseal()
    assert dora.in_force().principals == dora.everyone[:1]
    assert dora.put(dora.document) == 3
    with refused("security-key-counter"):
        dora.edit(*dora.everyone, counter=9)
    dora.edit(*dora.everyone, counter=10)
