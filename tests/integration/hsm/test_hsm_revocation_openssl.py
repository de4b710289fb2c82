"""A key whose certificate was issued by `openssl ca`: asked about at a real OCSP responder, and by a real list."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from strongroom.protocol.certificate_status import CertificateStatus
from strongroom.protocol.mechanisms import KeyType
from tests.support.imports import Imported, states_of
from tests.support.openssl_authority import OpensslAuthority, Signer
from tests.support.sealed import Customer
from tests.support.watching import check_now, status, until

Import = Callable[..., Imported]


@pytest.fixture
def authority(tmp_path: Path) -> Iterator[OpensslAuthority]:
    made = OpensslAuthority(tmp_path)
    yield made
    made.close()


@pytest.fixture
def import_leaf(alice: Customer, import_key: Import, authority: OpensslAuthority) -> Iterator[Import]:
    made: list[Imported] = []

    def bring_in(**stated: object) -> Imported:
        terms = {"certificate_status": CertificateStatus(**stated)} if stated else {}  # type: ignore[arg-type]
        made.append(
            import_key(alice, KeyType.EC_P256, material=authority.material, certificates=authority.chain, **terms)
        )
        return made[-1]

    yield bring_in
    for one in made:
        alice.order(one.id)


def signs(customer: Customer, key: Imported) -> str:
    return customer.operate(key.id, "sign", b"m").code


@pytest.mark.parametrize("signer", ["issuer", "responder"])
def test_a_responder_that_the_issuer_is_or_has_certified_says_good_and_revoked(
    alice: Customer, authority: OpensslAuthority, import_leaf: Import, signer: Signer
) -> None:
    authority.answer(signer)
    key = import_leaf(method="ocsp", every=2)
    until(lambda: signs(alice, key) == "")
    assert (status(alice, key).answer, status(alice, key).failure) == ("active", "")
    authority.revoke()
    until(lambda: states_of(alice, key.id) == {1: "revoked"})
    found = status(alice, key)
    assert (found.revoked_by, found.why) == ("ocsp", "keyCompromise")
    assert "by its certificate's issuer (OCSP): keyCompromise" in alice.operate(key.id, "sign", b"m").detail


def test_a_signer_whom_the_issuer_certified_for_something_else_is_none(
    alice: Customer, authority: OpensslAuthority, import_leaf: Import
) -> None:
    authority.revoke()
    authority.answer("stranger")
    key = import_leaf(method="ocsp", every=2)
    until(lambda: status(alice, key).failure.startswith("signature-invalid"))
    assert (signs(alice, key), states_of(alice, key.id)) == ("key-suspended", {1: "active"})


def test_a_certificate_that_the_responder_does_not_know_rests(
    alice: Customer, authority: OpensslAuthority, import_leaf: Import
) -> None:
    authority.answer("responder")
    key = import_leaf(method="ocsp", every=2)
    until(lambda: signs(alice, key) == "")
    authority.forget()
    until(lambda: status(alice, key).answer == "unknown")
    assert (signs(alice, key), states_of(alice, key.id)) == ("key-suspended", {1: "active"})


def test_when_the_responder_is_gone_its_last_answer_ages_from_when_it_was_made(
    alice: Customer, authority: OpensslAuthority, import_leaf: Import
) -> None:
    authority.answer("responder")
    key = import_leaf(method="ocsp", every=2)
    until(lambda: signs(alice, key) == "")
    authority.stop()
    assert until(lambda: signs(alice, key) == "key-suspended") < 3
    until(lambda: "no connection" in status(alice, key).failure)
    assert status(alice, key).answer == "active"
    authority.answer("responder")
    until(lambda: signs(alice, key) == "")


def test_a_list_says_good_and_on_hold(alice: Customer, authority: OpensslAuthority, import_leaf: Import) -> None:
    key = import_leaf(method="crl", every=3600)
    until(lambda: signs(alice, key) == "")
    authority.revoke("-crl_hold", "holdInstructionReject")
    authority.publish_list()
    # A good list holds as long as the terms say: the device asks again at once when it is told to.
    assert signs(alice, key) == ""
    check_now(alice, key)
    until(lambda: status(alice, key).why == "suspended: certificateHold")
    assert signs(alice, key) == "key-suspended"


def test_a_revoked_certificate_on_a_list_revokes_its_key(
    alice: Customer, authority: OpensslAuthority, import_leaf: Import
) -> None:
    authority.revoke()
    authority.publish_list()
    key = import_leaf(method="crl", every=3600)
    until(lambda: states_of(alice, key.id) == {1: "revoked"})
    assert (status(alice, key).revoked_by, status(alice, key).why) == ("crl", "keyCompromise")


def test_a_list_that_is_past_its_next_update_says_nothing(
    alice: Customer, authority: OpensslAuthority, import_leaf: Import
) -> None:
    authority.publish_list("-crlsec", "3")
    key = import_leaf(method="crl", every=3600)
    until(lambda: signs(alice, key) == "")
    until(lambda: signs(alice, key) == "key-suspended")
    until(lambda: status(alice, key).failure.startswith("stale"))
    authority.publish_list()
    until(lambda: signs(alice, key) == "")


def test_without_terms_the_certificates_own_responder_is_asked(
    alice: Customer, authority: OpensslAuthority, import_leaf: Import
) -> None:
    authority.revoke()
    authority.answer("issuer")
    key = import_leaf()
    until(lambda: states_of(alice, key.id) == {1: "revoked"})
    assert status(alice, key).revoked_by == "ocsp"
