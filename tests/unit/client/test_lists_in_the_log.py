"""Whoever verifies a log checks who signed each access list in it, an owner or a security key that one let."""

from typing import Any

import msgspec
import pytest
from authorities import PARTITION
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom.client.lists import Listed, check_lists
from strongroom.protocol import jws
from strongroom.protocol.access import AccessList, Principal, access_list_digest, read_list, sequel, signer_of
from strongroom.protocol.credentials import public_credential
from strongroom.protocol.encoding import canonical_json, read_json
from strongroom.protocol.log import Entry
from tests.support.refusals import refused
from tests.support.security_keys import SoftwareKey

OWNER = Ed25519PrivateKey.generate()
INVOICES = Principal(principal="client:cl_invoices", rights=["sign"])


class History:
    """The lists of a partition, whose owner lets Bob's key change them from the first."""

    def __init__(self) -> None:
        self.key = SoftwareKey("bob")
        first = AccessList(
            partition=PARTITION,
            version=1,
            previous="",
            owners=[public_credential(OWNER)],
            principals=[INVOICES],
            editors=[self.key.editor("Bob's")],
        )
        self.documents = [jws.sign(first, OWNER)]

    def edit(self, *principals: Principal, by: SoftwareKey | None = None, **spoiled: Any) -> None:
        self.documents.append((by or self.key).edit(self.documents[-1], list(principals), **spoiled))

    def owner(self, **changes: Any) -> None:
        following = read_json(sequel(self.documents[-1], []), AccessList)
        self.documents.append(jws.sign(msgspec.structs.replace(following, **changes), OWNER))

    def check(self, **changes: str) -> list[Listed]:
        """With an entry of something else before, and `changes` of the last."""
        events = [self._entry(1, event="action:execute")]
        for n, document in enumerate(self.documents, start=2):
            about = {"principal": signer_of(document), "digest": access_list_digest(document)}
            events.append(self._entry(n, event="access:update", details={"document": document}, **about))
        events[-1] = msgspec.structs.replace(events[-1], **changes)
        return check_lists(events, PARTITION, public_credential(OWNER))

    def _entry(self, n: int, **fields: Any) -> Entry:
        return Entry(partition=PARTITION, lane="admin", n=n, epoch=1, time=n, **fields)


@pytest.fixture
def history() -> History:
    return History()


def test_each_list_is_shown_with_who_signed_it(history: History) -> None:
    history.edit()
    history.owner(editors=[history.key.editor("Bob's blue one")])
    history.edit(INVOICES)
    found = history.check()
    assert [(one.says.version, one.by_security_key, one.label) for one in found] == [
        (1, False, ""),
        (2, True, "Bob's"),
        (3, False, ""),
        (4, True, "Bob's blue one"),
    ]


def test_entries_from_before_they_named_who_signed_are_read(history: History) -> None:
    assert len(history.check(principal="")) == 1


def test_a_list_by_a_key_that_no_owner_let_is_refused(history: History) -> None:
    history.edit(by=SoftwareKey("mallory"))
    with refused("not-an-editor"):
        history.check()


def test_a_list_by_a_key_after_its_owner_took_it_off_is_refused(history: History) -> None:
    granted = history.documents[0]
    history.owner(editors=msgspec.UNSET)
    late = msgspec.structs.replace(read_list(granted), version=3, previous=access_list_digest(history.documents[-1]))
    history.documents.append(history.key.sign_list(granted, canonical_json(late)))
    with refused("access-list-conflict"):
        history.check()


def test_a_list_that_does_not_follow_the_one_before_is_refused(history: History) -> None:
    history.edit()
    del history.documents[0]
    with refused("not-an-editor"):
        history.check()


def test_a_counter_that_went_back_is_noticed(history: History) -> None:
    history.edit(counter=9)
    history.edit(INVOICES, counter=8)
    with refused("security-key-counter"):
        history.check()


def test_an_entry_that_names_another_signer_or_holds_no_list_is_noticed(history: History) -> None:
    history.edit()
    with refused("log-inconsistent"):
        history.check(principal=public_credential(OWNER).fingerprint)
    with refused("log-inconsistent"):
        history.check(details={})  # type: ignore[arg-type]
