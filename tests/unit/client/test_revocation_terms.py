"""What the owner says about revocation becomes terms; what could never work is refused before anything is sealed."""

import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from strongroom.cli.receipts import terms_rows
from strongroom.client import revocation
from strongroom.client.envelopes import complete_terms
from strongroom.client.manifest import KeySettings, read_items
from strongroom.client.material import Material, read_material
from strongroom.endpoint import identity
from strongroom.protocol.encoding import b64u, digest
from strongroom.protocol.mechanisms import Usage
from tests.support.refusals import refused

AT = "https://revocation.acme.example:8443/v1"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An endpoint's folder, as its first start leaves it."""
    made = tmp_path_factory.mktemp("endpoint")
    identity.make(made, ["revocation.acme.example"])
    return made


@pytest.fixture(scope="module")
def material() -> Material:
    key = generate_private_key(SECP256R1())
    return read_material(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))


def pem_of(name: str, *, days: int = 1, ca: bool = False) -> bytes:
    key, subject = generate_private_key(SECP256R1()), x509.Name([])
    begins = datetime.now(UTC) - timedelta(days=10)
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(subject).public_key(key.public_key())
    builder = builder.serial_number(1).not_valid_before(begins).not_valid_after(begins + timedelta(days=10 + days))
    builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
    builder = builder.add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    return builder.sign(key, SHA256()).public_bytes(Encoding.PEM)


def test_an_endpoints_folder_is_token_and_pin(folder: Path, material: Material) -> None:
    begun = int(datetime.now(UTC).timestamp())
    settings = KeySettings(usage=[Usage.SIGN], revoke_at=AT, revoke_dir=str(folder), revoke_every="5m", expires="90d")
    terms = complete_terms(settings.terms(material), material, begun)
    assert terms.revocation
    assert (terms.revocation.url, terms.revocation.every) == (AT, 300)
    assert terms.revocation.token == (folder / "token").read_text().strip()
    pinned = x509.load_pem_x509_certificate((folder / "cert.pem").read_bytes())
    assert terms.revocation.certificates == [b64u(pinned.public_bytes(Encoding.DER))]
    assert abs((terms.not_after or 0) - begun - 90 * 86400) < 60
    shown = revocation.in_words(terms.revocation)
    assert AT in shown
    assert "300 s" in shown
    assert terms.revocation.token not in shown


def test_the_token_comes_from_a_file_or_as_it_stands(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "token").write_text("from-a-file\n")
    pin = str(folder / "cert.pem")
    for given, token in (
        ({"revoke_token": "plain"}, "plain"),
        ({"revoke_token": f"@{tmp_path / 'token'}"}, "from-a-file"),
        ({"revoke_token_file": str(tmp_path / "token")}, "from-a-file"),
    ):
        terms = KeySettings(revoke_at=AT, revoke_pin=pin, **given).revocation_terms()
        assert terms
        assert terms.token == token
    with refused("configuration"):
        KeySettings(revoke_at=AT, revoke_pin=pin, revoke_token=f"@{tmp_path / 'none'}").revocation_terms()


def test_a_public_key_can_be_pinned_and_answers_signed() -> None:
    public, signer = generate_private_key(SECP256R1()).public_key(), Ed25519PrivateKey.generate().public_key()
    pem = [one.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo) for one in (public, signer)]
    terms = revocation.make(AT, token="t", pin=pem[0], answer_key=pem[1])
    assert terms.public_keys == [digest(public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))]
    assert terms.answer_key == b64u(signer.public_bytes_raw())
    with refused("terms-refused"):
        revocation.make(AT, token="t", pin=pem[0], answer_key=pem[0])


def test_what_is_stated_of_a_certificate_is_shown_before_its_certificate_is_read(material: Material) -> None:
    settings = KeySettings(usage=[Usage.SIGN], status_by="crl", status_at="http://crl.example/", status_every="60s")
    assert ("Certificate", "its status is asked by crl at http://crl.example/") in terms_rows(settings.terms(material))


@pytest.mark.parametrize(
    "given",
    [
        {"revoke_at": ""},
        {"revoke_at": "", "revoke_dir": "", "revoke_every": "5s"},
        {"revoke_at": "http://revocation.acme.example/"},
        {"revoke_at": "https://other.example/"},
        {"revoke_dir": "", "revoke_token": "t"},
        {"revoke_token": "t"},
        {"revoke_token_file": "token"},
        {"revoke_pin": "cert.pem"},
        {"revoke_dir": "", "revoke_token": "t", "revoke_token_file": "token", "revoke_pin": "cert.pem"},
        {"expires": "30s"},
        {"expires": "31d", "revoke_every": "32d"},
        {"revoke_token": "with space"},
        {"revoke_answer_key": "some.pem"},
        {"expires": "2000-01-01"},
        {"expires": "90d", "not_after": "2090-01-01"},
        {"not_before": "30d", "expires": "31d", "revoke_every": "2d"},
        {"status_by": "ocsp"},
        {"status_at": "http://ocsp.example/"},
    ],
    ids=str,
)
def test_terms_that_contradict_themselves_are_refused(folder: Path, material: Material, given: dict[str, str]) -> None:
    sound = {"usage": [Usage.SIGN], "revoke_at": AT, "revoke_dir": str(folder)}
    now = int(time.time())
    complete_terms(KeySettings(**sound).terms(material), material, now)
    with refused("terms-refused"):
        complete_terms(KeySettings(**sound | given).terms(material), material, now)


@pytest.mark.parametrize("text", ["60", "0s", "1.5h", "-5m", "5 m", "1w", "s", "", "١s"])
def test_a_duration_is_a_number_with_its_unit(text: str) -> None:
    with refused("malformed"):
        revocation.read_duration(text)


def test_durations_and_moments() -> None:
    assert [revocation.read_duration(one) for one in ("5s", "2m", "3h", "7d")] == [5, 120, 10800, 604800]
    assert revocation.read_moment("12h", 1000) == 44200
    assert revocation.read_moment("2030-01-01", 1000) == revocation.read_moment("2030-01-01T01:00+01:00", 7)
    with refused("malformed"):
        revocation.read_moment("tomorrow", 1000)


def test_a_pin_that_could_never_fit_is_refused() -> None:
    revocation.make(AT, token="t", pin=pem_of("revocation.acme.example"))
    revocation.make(AT, token="t", pin=pem_of("*.acme.example"))
    revocation.make(AT, token="t", pin=pem_of("authority.example", ca=True))
    for pin in (
        pem_of("other.example"),
        pem_of("revocation.acme.example", days=-1),
        b"",
        b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        b"-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n",
    ):
        with refused("terms-refused"):
            revocation.make(AT, token="t", pin=pin)


def test_a_manifest_says_it_for_each_key(folder: Path, tmp_path: Path, material: Material) -> None:
    (tmp_path / "own").symlink_to(folder)
    manifest = tmp_path / "keys.jsonl"
    manifest.write_text(
        f'{{"file": "a", "revoke_at": "{AT}", "revoke_dir": "own", "revoke_every": "10s"}}\n{{"file": "b"}}\n'
    )
    revocable, other = read_items(manifest, KeySettings(usage=[Usage.SIGN]))
    found = revocable.settings.terms(material).revocation
    assert found
    assert found.every == 10
    assert other.settings.terms(material).revocation is None
