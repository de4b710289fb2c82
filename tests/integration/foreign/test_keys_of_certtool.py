"""Keys and certificates of GnuTLS's certtool: the device signs the certificates, and certtool verifies them."""

import pytest

from tests.support.foreign import MESSAGE, ROUTES, WORDS, Bench, dealt, signed_again, to_be_signed

pytestmark = pytest.mark.needs("certtool")

TEMPLATE = b'cn = "alice"\nexpiration_days = 10\nca\ncert_signing_key\nsigning_key\n'
# How certtool makes the key, and how it signs with it.
FORMS = {
    "rsa": ("--key-type rsa --bits 2048", "--sign-params rsa-pss"),
    "rsa-pss": ("--key-type rsa-pss --bits 2048 --hash sha256 --salt-size 32", "--hash sha256 --salt-size 32"),
    "p256": ("--key-type ecdsa --curve secp256r1", ""),
    "p384": ("--key-type ecdsa --curve secp384r1", ""),
    "p521": ("--key-type ecdsa --curve secp521r1", ""),
    "ed25519": ("--key-type ed25519", ""),
}


@pytest.fixture(autouse=True)
def _template(bench: Bench) -> None:
    bench.write("template", TEMPLATE)


def certify(bench: Bench, form: str) -> bytes:
    """A new key in the file `key`; its certificate, signed by itself, in `certificate` too."""
    make, sign = FORMS[form]
    bench.tool(f"certtool --generate-privkey {make} --outfile key")
    bench.tool(f"certtool --generate-self-signed --load-privkey key --template template {sign} --outfile certificate")
    return (bench.folder / "certificate").read_bytes()


@pytest.mark.parametrize(("form", "route"), dealt(FORMS))
def test_it_verifies_a_certificate_that_the_device_signed(bench: Bench, form: str, route: tuple[str, ...]) -> None:
    # 1. certtool has the key certify another.
    certify(bench, form)
    bench.tool("certtool --generate-privkey --key-type ed25519 --outfile leaf.key")
    ca = "--load-ca-certificate certificate --load-ca-privkey key"
    sign = FORMS[form][1]
    bench.tool(
        f"certtool --generate-certificate --load-privkey leaf.key {ca} --template template {sign} --outfile leaf"
    )
    # 2. The device signs the same certificate. (One that is trusted itself would not be verified.)
    key = bench.bring_in("key", "sign", options=("--certificate", "certificate", *route))
    leaf = (bench.folder / "leaf").read_bytes()
    bench.write("leaf", signed_again(leaf, key.sign(to_be_signed(leaf))))
    verify = "certtool --verify --verify-profile low --load-ca-certificate certificate --infile leaf"
    bench.tool(verify)
    bench.write("leaf", signed_again(leaf, key.sign(to_be_signed(leaf) + b"!")))
    bench.tool(verify, fails=True)


@pytest.mark.parametrize(
    ("convert", "file"),
    [
        (f"--to-p8 --pkcs-cipher aes-256 --password {WORDS}", "key.p8"),
        (f"--to-p8 --outder --password {WORDS}", "key.p8.der"),
        (f"--to-p12 --load-certificate certificate --p12-name alice --outder --password {WORDS}", "key.p12"),
    ],
)
def test_its_locked_files_hold_the_same_key(bench: Bench, convert: str, file: str) -> None:
    certify(bench, "ed25519")
    bench.tool(f"certtool {convert} --load-privkey key --outfile {file}")
    plain = bench.bring_in("key", "sign", options=ROUTES[0])
    locked = bench.bring_in(file, "sign", options=ROUTES[3])
    assert locked.sign() == plain.sign()


def test_its_certificate_alone_verifies(bench: Bench) -> None:
    certify(bench, "ed25519")
    signed = bench.bring_in("key", "sign", options=ROUTES[1]).sign(MESSAGE)
    assert bench.bring_in("certificate", "verify", options=ROUTES[2]).holds(signed)
