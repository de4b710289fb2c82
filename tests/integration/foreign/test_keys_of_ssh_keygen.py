"""Keys of ssh-keygen: the device signs what OpenSSH signs, and ssh-keygen verifies it."""

import base64
import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

from tests.support.foreign import MESSAGE, ROUTES, WORDS, Bench, dealt

pytestmark = pytest.mark.needs("ssh-keygen")

PSS = "-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32"
FORMS = [
    ("-t ed25519", ""),
    ("-t ed25519", WORDS),
    ("-t ecdsa -b 256", WORDS),
    ("-t ecdsa -b 384", ""),
    ("-t ecdsa -b 521", WORDS),
    ("-t ecdsa -b 256 -m PEM", ""),
    ("-t ecdsa -b 384 -m PKCS8", WORDS),
]


def string(data: bytes) -> bytes:
    return len(data).to_bytes(4, "big") + data


def mpint(number: int) -> bytes:
    return string(number.to_bytes(number.bit_length() // 8 + 1, "big"))


def to_be_signed(message: bytes) -> bytes:
    """What an OpenSSH signature is over (PROTOCOL.sshsig)."""
    return b"SSHSIG" + string(b"file") + string(b"") + string(b"sha512") + string(hashlib.sha512(message).digest())


def ssh_signature(public_line: bytes, signature: bytes) -> bytes:
    """A signature by the key of a `.pub` line, as ssh-keygen reads it."""
    kind, public = public_line.split()[:2]
    inner = b"".join(map(mpint, decode_dss_signature(signature))) if kind.startswith(b"ecdsa") else signature
    blob = b"SSHSIG" + (1).to_bytes(4, "big") + string(base64.b64decode(public)) + string(b"file") + string(b"")
    blob += string(b"sha512") + string(string(kind) + string(inner))
    return b"-----BEGIN SSH SIGNATURE-----\n" + base64.encodebytes(blob) + b"-----END SSH SIGNATURE-----\n"


def make(bench: Bench, options: str, words: str) -> bytes:
    """The public line of a new key in the file `key`."""
    bench.write("make", f'ssh-keygen -q {options} -N "{words}" -C alice -f key'.encode())
    bench.tool("sh make")
    return (bench.folder / "key.pub").read_bytes()


@pytest.mark.parametrize(("form", "route"), dealt(FORMS))
def test_it_verifies_what_the_device_signs(bench: Bench, form: tuple[str, str], route: tuple[str, ...]) -> None:
    public = make(bench, *form)
    key = bench.bring_in("key", "sign", "verify", options=route)
    bench.write("signature", ssh_signature(public, key.sign(to_be_signed(MESSAGE))))
    bench.write("allowed", b"alice " + public)
    verify = "ssh-keygen -Y verify -f allowed -I alice -n file -s signature"
    assert b"Good" in bench.tool(verify, of=MESSAGE)
    bench.tool(verify, of=MESSAGE + b"!", fails=True)


def test_its_ed25519_signature_is_the_devices(bench: Bench) -> None:
    public = make(bench, "-t ed25519", "")
    key = bench.bring_in("key", "sign", options=ROUTES[0])
    bench.write("message", MESSAGE)
    bench.tool("ssh-keygen -q -Y sign -f key -n file message")
    own = (bench.folder / "message.sig").read_bytes()
    device = ssh_signature(public, key.sign(to_be_signed(MESSAGE)))
    assert base64.b64decode(b"".join(own.splitlines()[1:-1])) == base64.b64decode(b"".join(device.splitlines()[1:-1]))


@pytest.mark.needs("openssl")
@pytest.mark.parametrize("options", ["-t rsa -b 2048", "-t rsa -b 3072 -m PEM"])
def test_its_rsa_key_signs_what_openssl_verifies(bench: Bench, options: str) -> None:
    """OpenSSH knows PKCS#1 signatures only, and the device PSS only: so ssh-keygen says just what the public key is."""
    make(bench, options, "")
    key = bench.bring_in("key", "sign", options=ROUTES[1])
    bench.write("public.pem", bench.tool("ssh-keygen -e -m PKCS8 -f key.pub"))
    bench.write("message", MESSAGE)
    bench.write("signature", key.sign())
    bench.tool(f"openssl dgst -sha256 {PSS} -verify public.pem -signature signature message")


def test_its_public_key_alone_verifies(bench: Bench) -> None:
    make(bench, "-t ed25519", "")
    whole = bench.bring_in("key", "sign", options=ROUTES[4])
    alone = bench.bring_in("key.pub", "verify", options=ROUTES[5])
    assert alone.holds(whole.sign())
