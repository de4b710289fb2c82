"""A machine without a network may seal a key: it judges everything again, and the receipt fits on either side."""

import shutil
import socket
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from simulator import PARTITION, Authority, Simulator

from strongroom.client import airgap, receipts
from strongroom.client.connection import Connection
from strongroom.client.dossier import Dossier
from strongroom.client.envelopes import SealedKey
from strongroom.client.home import Home
from strongroom.client.material import read_material
from strongroom.client.routes import Route
from strongroom.protocol.encoding import read_json
from strongroom.protocol.errors import Refused
from strongroom.protocol.mechanisms import Usage
from strongroom.protocol.terms import Terms, new_salt

PEM = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
HOUR = 3600


@pytest.fixture
def vault(listed: Connection, home: Home, tmp_path: Path) -> Home:
    """The machine without a network: Alice's owner (public half), device and trust anchors, no token."""
    shutil.copytree(home.path, tmp_path / "vault")
    for name in ("token", "session", "owner.pem"):
        (tmp_path / "vault" / name).unlink()
    return Home(tmp_path / "vault")


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From when it is called no socket can be made, and no name be looked up."""

    def no_network(*_: Any, **__: Any) -> None:
        raise AssertionError("a machine without a network was made to use one")

    def cut() -> None:
        monkeypatch.setattr(socket, "socket", no_network)
        monkeypatch.setattr(socket, "create_connection", no_network)
        monkeypatch.setattr(socket, "getaddrinfo", no_network)

    return cut


def seal(vault: Home, saved: bytes, now: int, route: Route | None = None) -> SealedKey:
    evidence = airgap.open_saved(vault, saved, route or Route(), now)
    material = read_material(PEM)
    terms = Terms(salt=new_salt(), key_type=material.key_type, usages=[Usage.SIGN])
    return airgap.wrap(vault, material, "signer", terms=terms, evidence=evidence, now=now)


@pytest.mark.parametrize(
    "route", [Route(), Route("engine"), Route("tee", "RSA-AES-KWP"), Route("engine", "RSA-AES-KWP")]
)
def test_what_was_sealed_offline_is_imported_and_its_receipt_fits_on_both_sides(
    listed: Connection, vault: Home, *, offline: Callable[[], None], tmp_path: Path, route: Route
) -> None:
    now = int(time.time())
    # 1. At the network: everyone is asked.
    saved = airgap.save(listed, route, now)
    with pytest.MonkeyPatch.context() as patch:
        # 2. Without one: judged again, sealed.
        patch.setattr(socket, "socket", None)
        sealed = seal(vault, saved, now + HOUR // 2, route)
        carried = tmp_path / "envelope.json"
        carried.write_bytes(airgap.write_envelope(sealed))
    # 3. At the network: sent.
    receipt, path = airgap.submit(listed, airgap.read_envelope(carried), now)
    assert receipt.name == "signer"
    # 4. The receipt is for this envelope, here and there.
    offline()
    for home in (listed.home, vault):
        assert airgap.check_receipt(home, sealed, path.read_text(), now).compared
    receipts.keep(vault, path.read_text())
    assert receipts.verify_kept(vault, "signer", now).compared


def test_saved_trust_is_refused_when_it_is_too_old_or_from_the_future(
    listed: Connection, vault: Home, now: int
) -> None:
    saved = airgap.save(listed, Route(), now)
    assert airgap.open_saved(vault, saved, Route(), now + 23 * HOUR)
    for moment in (now + 25 * HOUR, now - 2 * HOUR):
        with pytest.raises(Refused, match="stale"):
            airgap.open_saved(vault, saved, Route(), moment)
    with pytest.raises(Refused, match="stale"):
        airgap.open_saved(vault, saved, Route(), now + 2 * HOUR, max_age=HOUR)


def test_its_time_cannot_be_written_anew(listed: Connection, vault: Home, now: int) -> None:
    dossier = read_json(airgap.save(listed, Route(), now), Dossier)
    younger = msgspec.json.encode(msgspec.structs.replace(dossier, saved_at=now + 20 * HOUR))
    with pytest.raises(Refused, match="stale"):
        airgap.open_saved(vault, younger, Route(), now + 20 * HOUR)


def test_an_expired_single_use_key_is_not_sealed_to(listed: Connection, vault: Home, now: int) -> None:
    saved = airgap.save(listed, Route(suite="RSA-AES-KWP"), now)
    with pytest.raises(Refused, match="single-use key in the saved trust has expired"):
        airgap.open_saved(vault, saved, Route(suite="RSA-AES-KWP"), now + 2 * HOUR)


def test_saved_trust_for_another_route_is_refused(listed: Connection, vault: Home, now: int) -> None:
    saved = airgap.save(listed, Route("engine"), now)
    with pytest.raises(Refused, match="transport engine"):
        airgap.open_saved(vault, saved, Route(), now)


def without_answers(dossier: Dossier) -> Dossier:
    return msgspec.structs.replace(dossier, answers=[])


def with_other_nonces(dossier: Dossier) -> Dossier:
    answers = [msgspec.structs.replace(one, nonce="of-another-question") for one in dossier.answers]
    return msgspec.structs.replace(dossier, answers=answers)


def with_answers_swapped(dossier: Dossier) -> Dossier:
    first, second = dossier.answers[:2]
    swapped = [
        msgspec.structs.replace(first, statement=second.statement),
        msgspec.structs.replace(second, statement=first.statement),
    ]
    return msgspec.structs.replace(dossier, answers=swapped)


def of_another_partition(dossier: Dossier) -> Dossier:
    return msgspec.structs.replace(dossier, partition="")


@pytest.mark.parametrize("change", [without_answers, with_other_nonces, with_answers_swapped, of_another_partition])
def test_whoever_carries_it_cannot_change_what_was_said(
    listed: Connection, vault: Home, now: int, change: Callable[[Dossier], Dossier]
) -> None:
    dossier = change(read_json(airgap.save(listed, Route(), now), Dossier))
    with pytest.raises(Refused):
        airgap.open_saved(vault, msgspec.json.encode(dossier), Route(), now)


def test_every_byte_of_saved_trust_counts(listed: Connection, vault: Home, now: int) -> None:
    """Altered anywhere (sampled), it is refused; or it is the same as before, where only spelling changed."""
    saved = airgap.save(listed, Route(), now)
    whole = read_json(saved, Dossier)
    refused = 0
    for position in range(0, len(saved), 41):
        altered = saved[:position] + bytes([saved[position] ^ 0x01]) + saved[position + 1 :]
        try:
            dossier = airgap.open_saved(vault, altered, Route(), now).dossier
        except Refused:
            refused += 1
            continue
        assert msgspec.structs.replace(dossier, saved_at=whole.saved_at) == whole, position
    assert refused > len(saved) / 41 * 0.9


def test_the_machine_judges_by_its_own_roots(listed: Connection, vault: Home, now: int) -> None:
    saved = airgap.save(listed, Route(), now)
    (vault.path / "trust/manufacturer-roots.pem").write_bytes(Authority.make("root").pem)
    with pytest.raises(Refused, match="certificate-invalid"):
        airgap.open_saved(vault, saved, Route(), now)


def test_saving_validates_and_refuses_as_an_import_does(listed: Connection, provider: Simulator, now: int) -> None:
    provider.lies["provider"] = lambda statement: msgspec.structs.replace(statement, status="retired")
    with pytest.raises(Refused, match="validation-failed"):
        airgap.save(listed, Route(), now)


def test_an_envelope_that_was_altered_on_the_way_is_refused(
    listed: Connection, vault: Home, now: int, tmp_path: Path
) -> None:
    sealed = seal(vault, airgap.save(listed, Route(), now), now)
    envelope = sealed.envelope
    altered = msgspec.structs.replace(envelope, material=envelope.material[:-1] + bytes([envelope.material[-1] ^ 1]))
    with pytest.raises(Refused, match="envelope-unopenable"):
        airgap.submit(listed, msgspec.structs.replace(sealed, envelope=altered), now)
    with pytest.raises(Refused, match="wrong-partition"):
        airgap.submit(listed, msgspec.structs.replace(sealed, partition="pt_other"), now)
    carried = tmp_path / "envelope.json"
    carried.write_bytes(airgap.write_envelope(sealed)[:-40])
    with pytest.raises(Refused, match="envelope-malformed"):
        airgap.read_envelope(carried)


def test_a_receipt_for_another_envelope_does_not_fit(listed: Connection, vault: Home, now: int) -> None:
    sealed = seal(vault, airgap.save(listed, Route(), now), now)
    again = seal(vault, airgap.save(listed, Route(), now), now)
    path = airgap.submit(listed, again, now)[1]
    with pytest.raises(Refused, match="receipt-mismatch"):
        airgap.check_receipt(vault, sealed, path.read_text(), now)
    mixed = msgspec.structs.replace(sealed, sent=again.sent)
    with pytest.raises(Refused, match="receipt-mismatch"):
        airgap.check_receipt(vault, mixed, path.read_text(), now)


def test_a_channel_envelope_is_not_submitted_without_tls(listed: Connection, vault: Home, now: int) -> None:
    https = msgspec.structs.replace(listed.home.config(), url="https://localhost")
    plain = listed.home.config()
    listed.home._save_config(https)
    saved = airgap.save(listed, Route("channel"), now)
    sealed = seal(vault, saved, now, Route("channel"))
    listed.home._save_config(plain)
    with pytest.raises(Refused, match="transport-insecure"):
        airgap.submit(listed, sealed, now)
    assert sealed.partition == PARTITION
