"""Keys and certificates made by tools that nobody here wrote are read, and are the same keys."""

import subprocess
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_private_key

from strongroom.client.material import Material, needs_passphrase, read_material
from strongroom.protocol.encoding import from_b64u
from strongroom.protocol.errors import Refused
from strongroom.protocol.mechanisms import KeyType


def tool(folder: Path, line: str) -> bytes:
    """Run a command line in `folder`; its output."""
    return subprocess.run(line.split(), cwd=folder, check=True, capture_output=True, input=b"").stdout


def openssl(folder: Path, line: str) -> bytes:
    return tool(folder, f"openssl {line}")


def public_key(material: Material) -> bytes:
    key = load_der_private_key(material.secret, None)
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)


def is_openssls(folder: Path, material: Material, private: str = "key.pem") -> None:
    """The material is the key in the file, by OpenSSL's word on its public half."""
    said = openssl(folder, f"pkey -in {private} -pubout -outform DER -passin pass:open-sesame")
    # OpenSSL marks an RSA-PSS key in its public half too; the numbers are what must be the same.
    assert public_key(material) == read_material(said).secret


@pytest.mark.parametrize(
    ("line", "key_type"),
    [
        ("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048", KeyType.RSA),
        ("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:4096", KeyType.RSA),
        ("genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048", KeyType.RSA),
        (
            "genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048 -pkeyopt rsa_pss_keygen_md:sha256"
            " -pkeyopt rsa_pss_keygen_mgf1_md:sha256 -pkeyopt rsa_pss_keygen_saltlen:32",
            KeyType.RSA,
        ),
        ("genrsa -traditional 2048", KeyType.RSA),
        ("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256", KeyType.EC_P256),
        ("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384", KeyType.EC_P384),
        ("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-521", KeyType.EC_P521),
        ("ecparam -name prime256v1 -genkey", KeyType.EC_P256),
        ("ecparam -name secp384r1 -genkey -noout", KeyType.EC_P384),
        ("ecparam -name secp256k1 -genkey -noout", KeyType.EC_SECP256K1),
        ("genpkey -algorithm ed25519", KeyType.ED25519),
        ("genpkey -algorithm x25519", KeyType.X25519),
        ("genpkey -algorithm ed25519 -aes256 -pass pass:open-sesame", KeyType.ED25519),
    ],
)
def test_openssl_makes_keys(tmp_path: Path, line: str, key_type: KeyType) -> None:
    data = openssl(tmp_path, line)
    (tmp_path / "key.pem").write_bytes(data)
    assert needs_passphrase(data) is ("-aes256" in line)
    material = read_material(data, passphrase=b"open-sesame")
    assert material.key_type is key_type
    is_openssls(tmp_path, material)


@pytest.mark.parametrize(
    "options",
    [
        "-topk8 -outform DER -nocrypt",
        "-topk8 -outform DER -v2 aes-256-cbc -passout pass:open-sesame",
        "-topk8 -v2 aes-128-cbc -passout pass:open-sesame",
        "-topk8 -scrypt -passout pass:open-sesame",
        "-topk8 -v2 des3 -passout pass:open-sesame",
    ],
)
def test_openssl_converts_to_pkcs8(tmp_path: Path, options: str) -> None:
    openssl(tmp_path, "ecparam -name prime256v1 -genkey -noout -out key.pem")
    is_openssls(tmp_path, read_material(openssl(tmp_path, f"pkcs8 -in key.pem {options}"), passphrase=b"open-sesame"))


def test_openssl_encrypts_a_traditional_key(tmp_path: Path) -> None:
    openssl(tmp_path, "genrsa -traditional -aes128 -passout pass:open-sesame -out key.pem 2048")
    is_openssls(tmp_path, read_material((tmp_path / "key.pem").read_bytes(), passphrase=b"open-sesame"))


@pytest.fixture
def certified(tmp_path: Path) -> Path:
    """A key with a certificate by an authority, all made by OpenSSL."""
    openssl(
        tmp_path, "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout ca.key -out ca.pem -subj /CN=ca"
    )
    openssl(tmp_path, "req -newkey rsa:2048 -nodes -keyout key.pem -out key.csr -subj /CN=leaf")
    openssl(tmp_path, "x509 -req -in key.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out leaf.pem -days 10")
    return tmp_path


def certificates(folder: Path, *names: str) -> list[bytes]:
    return [openssl(folder, f"x509 -in {name} -outform DER") for name in names]


@pytest.mark.parametrize(
    "options",
    [
        "-passout pass:open-sesame",
        "-passout pass:open-sesame -legacy -keypbe PBE-SHA1-3DES -certpbe PBE-SHA1-3DES -macalg sha1",
        "-passout pass:open-sesame -keypbe NONE -certpbe NONE",
        "-passout pass:",
        "-passout pass: -keypbe NONE -certpbe NONE -nomac",
    ],
)
def test_openssl_exports_pkcs12_with_the_chain(certified: Path, options: str) -> None:
    openssl(certified, f"pkcs12 -export -inkey key.pem -in leaf.pem -certfile ca.pem -out key.p12 {options}")
    data = (certified / "key.p12").read_bytes()
    assert needs_passphrase(data) is ("open-sesame" in options)
    material = read_material(data, passphrase=b"open-sesame" if needs_passphrase(data) else None)
    is_openssls(certified, material)
    assert [from_b64u(one) for one in material.certificates] == certificates(certified, "leaf.pem", "ca.pem")


def test_openssl_gives_certificates_as_pem_der_and_pkcs7(certified: Path) -> None:
    key = (certified / "key.pem").read_bytes()
    openssl(certified, "crl2pkcs7 -nocrl -certfile leaf.pem -certfile ca.pem -out chain.p7b")
    openssl(certified, "crl2pkcs7 -nocrl -certfile leaf.pem -certfile ca.pem -outform DER -out chain.der")
    for name in ("chain.p7b", "chain.der"):
        material = read_material(key, certificate=(certified / name).read_bytes())
        assert [from_b64u(one) for one in material.certificates] == certificates(certified, "leaf.pem", "ca.pem")
    openssl(certified, "x509 -in leaf.pem -outform DER -out leaf.der")
    alone = read_material((certified / "leaf.der").read_bytes())
    assert alone.public_only
    with pytest.raises(Refused, match="certificate-mismatch"):
        read_material(key, certificate=(certified / "ca.pem").read_bytes())


@pytest.mark.parametrize("curve", ["brainpoolP256r1", "secp224r1"])
def test_openssl_makes_curves_that_are_refused_by_name(tmp_path: Path, curve: str) -> None:
    with pytest.raises(Refused, match=f"curve {curve}"):
        read_material(openssl(tmp_path, f"ecparam -name {curve} -genkey -noout"))


def test_openssl_makes_explicit_parameters_that_are_refused(tmp_path: Path) -> None:
    data = openssl(tmp_path, "ecparam -name secp256k1 -genkey -noout -param_enc explicit")
    with pytest.raises(Refused, match="key-unparsable"):
        read_material(data)


@pytest.mark.parametrize("length", [16, 24, 32])
def test_openssl_makes_symmetric_keys(tmp_path: Path, length: int) -> None:
    raw, text = openssl(tmp_path, f"rand {length}"), openssl(tmp_path, f"rand -hex {length}")
    assert read_material(raw).secret == raw
    material = read_material(text, encoding="hex")
    assert material.secret.hex() == text.decode().strip()
    (tmp_path / "zero").write_bytes(bytes(16))
    cipher = f"enc -aes-{8 * length}-ecb -nopad -K {material.secret.hex()} -in zero"
    assert material.check_value == openssl(tmp_path, cipher)[:3].hex()


@pytest.mark.needs("ssh-keygen")
@pytest.mark.parametrize(
    ("options", "key_type"),
    [
        ("-t ed25519", KeyType.ED25519),
        ("-t ecdsa -b 256", KeyType.EC_P256),
        ("-t ecdsa -b 384", KeyType.EC_P384),
        ("-t ecdsa -b 521", KeyType.EC_P521),
        ("-t rsa -b 2048", KeyType.RSA),
        ("-t rsa -b 2048 -m PKCS8", KeyType.RSA),
        ("-t ecdsa -b 256 -m PEM", KeyType.EC_P256),
    ],
)
@pytest.mark.parametrize("words", ["", "open-sesame"])
def test_ssh_keygen_makes_keys(tmp_path: Path, options: str, key_type: KeyType, words: str) -> None:
    command = ["ssh-keygen", "-q", *options.split(), "-N", words, "-C", "alice", "-f", "key"]
    subprocess.run(command, cwd=tmp_path, check=True, capture_output=True, stdin=subprocess.DEVNULL)
    data = (tmp_path / "key").read_bytes()
    assert needs_passphrase(data) is bool(words)
    material = read_material(data, passphrase=words.encode() or None)
    assert material.key_type is key_type
    public = read_material((tmp_path / "key.pub").read_bytes())
    assert public.public_only
    assert public.secret == public_key(material)


@pytest.mark.needs("certtool")
@pytest.mark.parametrize("curve", ["secp256r1", "secp384r1", "secp521r1"])
def test_certtool_makes_keys_half_of_which_have_a_zero_too_many(tmp_path: Path, curve: str) -> None:
    for _ in range(8):
        tool(tmp_path, f"certtool --generate-privkey --key-type ecdsa --curve {curve} --outfile key.pem")
        is_openssls(tmp_path, read_material((tmp_path / "key.pem").read_bytes()))


@pytest.mark.needs("certtool")
def test_such_a_key_under_a_passphrase_is_refused_with_advice(tmp_path: Path) -> None:
    (tmp_path / "key.der").write_bytes(
        longer(openssl(tmp_path, "ecparam -name prime256v1 -genkey -noout -outform DER"))
    )
    tool(tmp_path, "certtool --inder --load-privkey key.der --to-p8 --password open-sesame --outfile key.pem")
    with pytest.raises(Refused, match="openssl pkey -in FILE -out NEW"):
        read_material((tmp_path / "key.pem").read_bytes(), passphrase=b"open-sesame")
    openssl(tmp_path, "pkey -in key.pem -passin pass:open-sesame -out new.pem")
    is_openssls(tmp_path, read_material((tmp_path / "new.pem").read_bytes()))


def longer(der: bytes, octet: bytes = b"\0") -> bytes:
    """A P-256 key in SEC1 with one byte more before its number."""
    assert der[:7] == bytes.fromhex("30770201010420")
    return bytes.fromhex("30780201010421") + octet + der[7:]


def test_a_zero_too_many_makes_no_other_key_and_another_byte_no_key(tmp_path: Path) -> None:
    plain = openssl(tmp_path, "ecparam -name prime256v1 -genkey -noout -outform DER")
    assert read_material(longer(plain)).secret == read_material(plain).secret
    (tmp_path / "key.der").write_bytes(plain)
    pkcs8 = openssl(tmp_path, "pkcs8 -topk8 -nocrypt -in key.der -outform DER")
    start = pkcs8.index(bytes.fromhex("306b0201010420"))
    inner = bytes.fromhex("306c020101042100") + pkcs8[start + 7 :]
    whole = pkcs8[: start - 2] + b"\x04" + bytes([len(inner)]) + inner
    assert read_material(b"\x30\x81" + bytes([len(whole) - 3]) + whole[3:]).secret == read_material(pkcs8).secret
    with pytest.raises(Refused, match="key-unparsable"):
        read_material(longer(plain, b"\1"))


@pytest.mark.needs("keytool")
@pytest.mark.parametrize(
    ("options", "key_type"),
    [
        ("-keyalg RSA -keysize 2048", KeyType.RSA),
        ("-keyalg EC -groupname secp384r1", KeyType.EC_P384),
        ("-keyalg Ed25519", KeyType.ED25519),
    ],
)
def test_keytool_makes_a_keystore(tmp_path: Path, options: str, key_type: KeyType) -> None:
    keystore = "-keystore key.p12 -storetype PKCS12 -storepass open-sesame"
    tool(tmp_path, f"keytool -genkeypair -alias one {options} -dname CN=alice {keystore}")
    material = read_material((tmp_path / "key.p12").read_bytes(), passphrase=b"open-sesame")
    assert material.key_type is key_type
    assert [from_b64u(one) for one in material.certificates] == [
        tool(tmp_path, f"keytool -exportcert -alias one {keystore}")
    ]
    tool(tmp_path, f"keytool -genkeypair -alias two {options} -dname CN=alice {keystore}")
    with pytest.raises(Refused, match="several keys"):
        read_material((tmp_path / "key.p12").read_bytes(), passphrase=b"open-sesame")
