"""The development authority: made once, and its server certificate renewed under the same key."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import load_pem_private_key
from cryptography.x509.verification import PolicyBuilder, Store

from stack import authority
from stack.authority import make_authority
from stack.layout import StackError, State


@pytest.fixture
def state(tmp_path: Path) -> State:
    made = State(tmp_path / "state")
    made.root.mkdir()
    made.folder("provider")
    make_authority(made)
    return made


def files(state: State) -> dict[str, bytes]:
    return {one.name: one.read_bytes() for one in state.tls_ca.parent.iterdir()}


def server(state: State) -> x509.Certificate:
    return x509.load_pem_x509_certificate(state.tls_server.read_bytes())


@pytest.mark.parametrize("name", [x509.DNSName("localhost"), x509.DNSName("portal.example")])
def test_it_vouches_for_this_machine_and_for_no_other(state: State, name: x509.DNSName) -> None:
    trusted = Store([x509.load_pem_x509_certificate(state.tls_ca.read_bytes())])
    verifier = PolicyBuilder().store(trusted).build_server_verifier(name)
    if name.value == "localhost":
        assert verifier.verify(server(state), [])[0] == server(state)
    else:
        with pytest.raises(x509.verification.VerificationError):
            verifier.verify(server(state), [])


def test_the_key_beside_a_certificate_is_its_own(state: State) -> None:
    key = load_pem_private_key(state.tls_server.read_bytes(), None)
    assert key.public_key() == server(state).public_key()


def test_made_again_nothing_changes(state: State) -> None:
    before = files(state)
    make_authority(state)
    assert files(state) == before


def test_a_server_certificate_that_ends_within_a_day_is_renewed_under_the_same_authority(
    state: State, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = files(state)

    class Later(datetime):
        @classmethod
        def now(cls, tz: object = None) -> datetime:
            return datetime.now(UTC) + timedelta(days=364, hours=1)

    monkeypatch.setattr(authority, "datetime", Later)
    make_authority(state)
    after = files(state)
    assert {name for name in after if after[name] != before[name]} == {"server.pem"}
    server(state).verify_directly_issued_by(x509.load_pem_x509_certificate(after["ca.pem"]))


def test_what_a_kill_left_out_is_made_again(state: State) -> None:
    before = files(state)
    state.tls_ca.unlink()
    state.tls_server.unlink()
    make_authority(state)
    assert files(state)["ca.pem"] == before["ca.pem"]
    server(state).verify_directly_issued_by(x509.load_pem_x509_certificate(before["ca.pem"]))


def test_a_file_of_another_kind_is_named(state: State) -> None:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

    other = Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    path = state.tls_ca.parent / "authority.pem"
    path.write_bytes(other)
    with pytest.raises(StackError, match=str(path)):
        make_authority(state)
