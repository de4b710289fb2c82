"""The import ends with a receipt that is for exactly what was sent, or it has failed."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from authorities import Authority
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from simulator import Simulator

from strongroom.client import imports, receipts
from strongroom.client.connection import Connection
from strongroom.client.material import Material, read_material
from strongroom.protocol import jws
from strongroom.protocol.envelope import ImportHeader
from strongroom.protocol.errors import Refused
from strongroom.protocol.mechanisms import KeyType, Usage
from strongroom.protocol.terms import Terms, new_salt

KEY = ec.generate_private_key(ec.SECP256R1())
PEM = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
OTHER_PUBLIC_KEY = (
    ec.generate_private_key(ec.SECP256R1())
    .public_key()
    .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    .decode()
)


def signing_terms(material: Material) -> Terms:
    return Terms(salt=new_salt(), key_type=material.key_type, usages=[Usage.SIGN, Usage.VERIFY])


def bring_in(connection: Connection, now: int, name: str = "signer") -> imports.Imported:
    material = read_material(PEM)
    return imports.import_key(connection, material, name, signing_terms(material), now)


def test_the_device_gets_the_key_and_the_terms_and_the_receipt_is_kept(
    listed: Connection, provider: Simulator, now: int
) -> None:
    done = bring_in(listed, now)
    material, terms = provider.opened["signer"]
    assert material == KEY.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    assert msgspec.json.decode(terms)["usages"] == ["sign", "verify"]
    assert done.receipt.name == "signer"
    assert receipts.verify_kept(listed.home, "signer", now).compared


def test_what_is_sent_holds_neither_the_key_nor_the_terms(listed: Connection, provider: Simulator, now: int) -> None:
    bring_in(listed, now)
    body = next(body for _, path, body in provider.requests if path == "/imports")
    material, terms = (msgspec.convert(body[part], bytes) for part in ("material", "terms"))
    assert provider.opened["signer"][0] not in material
    assert provider.opened["signer"][1] not in terms


LIES: list[dict[str, Any]] = [
    {"import_id": "im_other"},
    {"name": "other"},
    {"version": 0},
    {"key_type": KeyType.RSA},
    {"public_key": OTHER_PUBLIC_KEY},
    {"public_key": ""},
    {"public_key": "not a key"},
    {"check_value": "abcdef"},
    {"terms_digest": "0" * 64},
    {"header_digest": "0" * 64},
    {"tenant": "globex"},
    {"partition": "pt_globex"},
    {"owner": "A" * 43},
    {"device": "dev_other"},
]


@pytest.mark.parametrize("lie", LIES, ids="-".join)
def test_a_receipt_that_differs_in_any_field_is_refused_and_not_kept(
    listed: Connection, provider: Simulator, now: int, lie: dict[str, Any]
) -> None:
    provider.lies["receipt"] = lambda receipt: msgspec.structs.replace(receipt, **lie)
    with pytest.raises(Refused, match="receipt-mismatch"):
        bring_in(listed, now)
    assert not listed.home.kept("receipts", "signer")


def test_a_receipt_by_another_device_is_refused(listed: Connection, provider: Simulator, now: int) -> None:
    provider.forgeries["receipt"] = Authority.make("device", provider.root)
    with pytest.raises(Refused, match="receipt-mismatch"):
        bring_in(listed, now)


def test_the_check_value_of_a_symmetric_key_must_be_its_own(listed: Connection, provider: Simulator, now: int) -> None:
    material = read_material(bytes(range(32)))
    assert material.check_value == "f29000"  # AES-256 over a zero block, FIPS 197's example key
    terms = Terms(salt=new_salt(), key_type=KeyType.AES_256, usages=[Usage.ENCRYPT])
    assert imports.import_key(listed, material, "good", terms, now).receipt.check_value == "f29000"
    provider.lies["receipt"] = lambda receipt: msgspec.structs.replace(receipt, check_value="000000")
    with pytest.raises(Refused, match="check value"):
        imports.import_key(listed, material, "bad", terms, now)


def test_a_name_whose_receipt_is_kept_is_refused_before_anything_is_asked(
    listed: Connection, provider: Simulator, now: int
) -> None:
    bring_in(listed, now)
    provider.requests.clear()
    with pytest.raises(Refused, match="name-taken"):
        bring_in(listed, now)
    assert not provider.requests


@pytest.mark.parametrize("name", ["", "../owner", "a/b", ".hidden", "x" * 65, "a b", "a\n"])
def test_a_name_that_is_no_name_is_refused(listed: Connection, now: int, name: str) -> None:
    with pytest.raises(Refused, match="malformed"):
        bring_in(listed, now, name)


def test_terms_that_contradict_themselves_are_refused_before_anything_is_asked(
    listed: Connection, provider: Simulator, now: int
) -> None:
    provider.requests.clear()
    material = read_material(PEM)
    terms = Terms(salt=new_salt(), key_type=KeyType.EC_P256, usages=[Usage.ENCRYPT])
    with pytest.raises(Refused, match="terms-refused"):
        imports.import_key(listed, material, "signer", terms, now)
    terms = Terms(salt=new_salt(), key_type=KeyType.RSA, usages=[Usage.SIGN])
    with pytest.raises(Refused, match="the terms are for RSA"):
        imports.import_key(listed, material, "signer", terms, now)
    assert not provider.requests


def test_an_import_whose_answer_was_lost_is_settled_by_its_id(
    listed: Connection, provider: Simulator, now: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "PAUSE", 0.0)

    def lost() -> dict[str, Any]:
        body = provider.requests[-1][2]
        provider._import(body)
        raise Refused("hsm-unreachable")

    provider.answers["POST /imports"] = lost
    with pytest.raises(Refused, match="hsm-unreachable"):
        bring_in(listed, now)
    del provider.answers["POST /imports"]
    sent = receipts.find_sent(listed.home, "signer")
    assert sent is not None
    import_id = jws.read_unverified(sent.header, ImportHeader).import_id
    provider.answers[f"GET /imports/{import_id}"] = lambda: {
        "status": "complete",
        "receipt": provider.receipts["signer"],
    }
    # A second import of the name does not lose the first: it settles it and says so.
    with pytest.raises(Refused, match="had succeeded"):
        bring_in(listed, now)
    assert receipts.verify_kept(listed.home, "signer", now).compared


def test_an_import_is_sent_again_with_the_same_header_while_the_device_does_not_answer(
    listed: Connection, provider: Simulator, now: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(imports, "PAUSE", 0.0)

    def away() -> dict[str, Any]:
        del provider.answers["POST /imports"]
        raise Refused("hsm-unreachable")

    provider.answers["POST /imports"] = away
    bring_in(listed, now)
    headers = [body["header"] for _, path, body in provider.requests if path == "/imports"]
    assert len(headers) == 2
    assert len(set(headers)) == 1


def test_an_altered_receipt_file_does_not_verify(listed: Connection, now: int, tmp_path: Path) -> None:
    done = bring_in(listed, now)
    head, body, signature = done.path.read_text().split(".")
    done.path.write_text(".".join([head, body, signature[::-1]]))
    with pytest.raises(Refused, match=r"signature-invalid|statement-malformed"):
        receipts.verify_kept(listed.home, "signer", now)


def test_a_key_sent_from_elsewhere_is_found_by_the_devices_signature(
    listed: Connection, provider: Simulator, now: int
) -> None:
    done = bring_in(listed, now)
    for path in (listed.home.path / "receipts").iterdir():
        path.unlink()
    assert receipts.find(listed, "signer", now) == done.receipt


def test_the_portal_cannot_pass_one_key_off_as_another(listed: Connection, provider: Simulator, now: int) -> None:
    bring_in(listed, now, "signer")
    provider.receipts["payroll"] = provider.receipts["signer"]
    with pytest.raises(Refused, match="receipt of another key"):
        receipts.find(listed, "payroll", now)
