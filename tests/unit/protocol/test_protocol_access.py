"""Access lists name their principals in one way, and partitions their owners."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom.protocol import access, jws
from strongroom.protocol.credentials import public_credential
from tests.support.refusals import refused

OWNER = Ed25519PrivateKey.generate()


def document(**changes: object) -> str:
    fields: dict[str, object] = {
        "partition": "pt_1",
        "version": 1,
        "previous": "",
        "owners": [public_credential(OWNER)],
        "principals": [],
    }
    return jws.sign(access.AccessList(**(fields | changes)), OWNER)  # type: ignore[arg-type]


def check(token: str) -> access.AccessList:
    owners = [public_credential(OWNER)]
    return access.check_update(token, partition="pt_1", owners=owners, version=0, current=None)


def test_a_partitions_id_is_bound_to_its_owner_world_and_nonce() -> None:
    owner = public_credential(OWNER)
    ids = {
        access.partition_id(owner, "wd_1", "n1"),
        access.partition_id(owner, "wd_1", "n2"),
        access.partition_id(owner, "wd_2", "n1"),
        access.partition_id(public_credential(Ed25519PrivateKey.generate()), "wd_1", "n1"),
    }
    assert len(ids) == 4
    assert access.partition_id(owner, "wd_1", "n1") in ids


def test_a_list_may_name_as_many_principals_as_it_says_and_no_more() -> None:
    many = [access.Principal(principal=f"client:cl_{n}", rights=["sign"]) for n in range(access.MAX_PRINCIPALS)]
    assert len(check(document(principals=many)).principals) == access.MAX_PRINCIPALS
    more = [*many, access.Principal(principal="client:cl_more", rights=[])]
    with refused("malformed"):
        check(document(principals=more))


def test_the_digest_is_of_the_list_as_it_was_signed() -> None:
    token = document()
    assert access.access_list_digest(None) == ""
    assert access.access_list_digest(token) != access.access_list_digest(document(version=2))
