"""Keys and certificates of OpenSSL, in every form that it writes: imported, used, and judged by OpenSSL."""

import pytest

from tests.support.command import run
from tests.support.foreign import MESSAGE, ROUTES, WORDS, Bench, dealt

pytestmark = pytest.mark.needs("openssl")

PSS = "-sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32"
OAEP = "-pkeyopt rsa_padding_mode:oaep -pkeyopt rsa_oaep_md:sha256 -pkeyopt rsa_mgf1_md:sha256"
LOCKED = f"-aes256 -pass pass:{WORDS}"
# How OpenSSL makes the key in the file `key`, and how it signs with its private half.
SIGNING = {
    "rsa-2048": ("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:2048", f"-sha256 {PSS}"),
    "rsa-4096-der": ("genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:4096 -outform DER", f"-sha256 {PSS}"),
    "rsa-pss": (
        "genpkey -algorithm RSA-PSS -pkeyopt rsa_keygen_bits:2048 -pkeyopt rsa_pss_keygen_md:sha256"
        " -pkeyopt rsa_pss_keygen_mgf1_md:sha256 -pkeyopt rsa_pss_keygen_saltlen:32",
        f"-sha256 {PSS}",
    ),
    "pkcs1": ("genrsa -traditional 2048", f"-sha256 {PSS}"),
    "pkcs1-locked": (f"genrsa -traditional -aes128 -passout pass:{WORDS} 2048", f"-sha256 {PSS}"),
    "p256-sec1": ("ecparam -name prime256v1 -genkey", "-sha256"),
    "p256-locked": (f"genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 {LOCKED}", "-sha256"),
    "p384-der": ("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-384 -outform DER", "-sha384"),
    "p521": ("genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-521", "-sha512"),
}
ED25519 = [
    "genpkey -algorithm ed25519",
    "genpkey -algorithm ed25519 -outform DER",
    f"genpkey -algorithm ed25519 {LOCKED}",
]


@pytest.mark.parametrize(("form", "route"), dealt(SIGNING))
def test_it_makes_a_key_and_verifies_what_the_device_signs(bench: Bench, form: str, route: tuple[str, ...]) -> None:
    line, options = SIGNING[form]
    bench.write("key", bench.tool(f"openssl {line}"))
    key = bench.bring_in("key", "sign", "verify", options=route)
    bench.write("message", MESSAGE)
    bench.write("signature", key.sign())
    bench.tool(f"openssl pkey -in key -passin pass:{WORDS} -pubout -out public.pem")
    bench.tool(f"openssl dgst {options} -verify public.pem -signature signature message")
    bench.write("message", MESSAGE + b"!")
    bench.tool(f"openssl dgst {options} -verify public.pem -signature signature message", fails=True)
    bench.write("message", MESSAGE)
    assert key.holds(bench.tool(f"openssl dgst {options} -sign key -passin pass:{WORDS} message"))


@pytest.mark.parametrize(("line", "route"), dealt(ED25519))
def test_its_ed25519_signatures_are_the_devices(bench: Bench, line: str, route: tuple[str, ...]) -> None:
    bench.write("key", bench.tool(f"openssl {line}"))
    key = bench.bring_in("key", "sign", "verify", options=route)
    bench.write("message", MESSAGE)
    own = bench.tool(f"openssl pkeyutl -sign -rawin -inkey key -passin pass:{WORDS} -in message")
    assert key.sign() == own
    assert key.holds(own)


@pytest.mark.parametrize(
    ("line", "peer"),
    [
        ("-algorithm X25519", "-algorithm X25519"),
        ("-algorithm EC -pkeyopt ec_paramgen_curve:P-256", "-algorithm EC -pkeyopt ec_paramgen_curve:P-256"),
        ("-algorithm EC -pkeyopt ec_paramgen_curve:P-521", "-algorithm EC -pkeyopt ec_paramgen_curve:P-521"),
    ],
)
def test_it_agrees_with_the_device_on_a_derived_key(bench: Bench, line: str, peer: str) -> None:
    bench.tool(f"openssl genpkey {line} -out key")
    bench.tool("openssl pkey -in key -pubout -out public.pem")
    bench.tool(f"openssl genpkey {peer} -out peer")
    bench.tool("openssl pkey -in peer -pubout -out peer.public.pem")
    key = bench.bring_in("key", "derive", options=ROUTES[1])
    shared = bench.tool("openssl pkeyutl -derive -inkey peer -peerkey public.pem")
    hkdf = (
        f"openssl kdf -binary -keylen 32 -kdfopt digest:SHA2-256 -kdfopt hexkey:{shared.hex()} -kdfopt info:paper HKDF"
    )
    assert key.derive("peer.public.pem", "paper") == bench.tool(hkdf)


def test_it_encrypts_to_the_device_and_decrypts_what_the_device_encrypts(bench: Bench) -> None:
    bench.tool("openssl genrsa -out key 3072")
    bench.tool("openssl rsa -in key -pubout -out public.pem")
    key = bench.bring_in("key", "encrypt", "decrypt", options=ROUTES[3])
    sealed = bench.tool(f"openssl pkeyutl -encrypt -pubin -inkey public.pem {OAEP}", of=MESSAGE)
    assert key.use("decrypt", sealed) == MESSAGE
    bench.write("sealed", key.use("encrypt", MESSAGE))
    assert bench.tool(f"openssl pkeyutl -decrypt -inkey key -in sealed {OAEP}") == MESSAGE


@pytest.mark.parametrize(
    ("bits", "form", "route"), [(128, "-hex", ROUTES[0]), (192, "", ROUTES[3]), (256, "", ROUTES[5])]
)
def test_its_random_bytes_are_aes_keys(bench: Bench, bits: int, form: str, route: tuple[str, ...]) -> None:
    data = bench.tool(f"openssl rand {form} {bits // 8}")
    bench.write("key", data)
    digits = data.decode().strip() if form else data.hex()
    # Of 32 digits nobody but their owner knows whether they are the key or spell it.
    said = ("--encoding", "hex") if form else ()
    key = bench.bring_in("key", "encrypt", "decrypt", options=(*route, *said))
    sealed = key.use("encrypt", MESSAGE)
    assert key.use("decrypt", sealed) == MESSAGE
    # OpenSSL's command has no GCM. Under it is counter mode, whose second block begins the ciphertext (SP 800-38D).
    bench.write("sealed", sealed[12:-16])
    counter = sealed[:12].hex() + "00000002"
    assert bench.tool(f"openssl enc -d -aes-{bits}-ctr -K {digits} -iv {counter} -in sealed") == MESSAGE
    zeros = bench.tool(f"openssl enc -aes-{bits}-ecb -nopad -K {digits}", of=bytes(16))
    assert key.answer["receipt"]["check_value"] == zeros[:3].hex()


def test_its_random_bytes_are_an_hmac_key(bench: Bench) -> None:
    data = bench.tool("openssl rand 48")
    bench.write("key", data)
    key = bench.bring_in("key", "hash", options=("--type", "HMAC", *ROUTES[2]))
    bench.write("message", MESSAGE)
    assert key.use("hash", MESSAGE) == bench.tool(
        f"openssl dgst -sha256 -mac HMAC -macopt hexkey:{data.hex()} -binary message"
    )


# --- certificates ---


@pytest.fixture
def chain(bench: Bench) -> Bench:
    """key, its certificate leaf.pem by ca.pem, and a stranger's certificate."""
    for name in ("ca", "stranger"):
        bench.tool(
            f"openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-384 -nodes -keyout {name}.key -out {name}.pem"
            f" -subj /CN={name}"
        )
    bench.tool(
        "openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout key -out leaf.csr -subj /CN=leaf"
    )
    bench.tool("openssl x509 -req -in leaf.csr -CA ca.pem -CAkey ca.key -CAcreateserial -out leaf.pem -days 10")
    return bench


def verifies_by_certificate(bench: Bench, signature: bytes) -> None:
    bench.write("message", MESSAGE)
    bench.write("signature", signature)
    bench.write("public.pem", bench.tool("openssl x509 -in leaf.pem -noout -pubkey"))
    bench.tool("openssl dgst -sha256 -verify public.pem -signature signature message")


def test_its_pkcs12_brings_key_and_chain(chain: Bench) -> None:
    words = f"-passout pass:{WORDS}"
    chain.tool(f"openssl pkcs12 -export -inkey key -in leaf.pem -certfile ca.pem -out key.p12 {words}")
    verifies_by_certificate(chain, chain.bring_in("key.p12", "sign", options=ROUTES[1]).sign())


def test_its_certificate_comes_with_the_key(chain: Bench) -> None:
    chain.write("chain.pem", chain.tool("cat leaf.pem ca.pem"))
    key = chain.bring_in("key", "sign", options=("--certificate", "chain.pem", *ROUTES[2]))
    verifies_by_certificate(chain, key.sign())


def test_another_keys_certificate_is_refused(chain: Bench) -> None:
    for other in ("stranger.pem", "ca.pem"):
        run(
            chain.home,
            *("import", chain.folder / "key", "--certificate", chain.folder / other, "--name", "no", "--usage", "sign"),
            refused="certificate-mismatch",
        )


@pytest.mark.parametrize("file", ["leaf.pem", "leaf.der", "public.der"])
def test_its_certificate_or_public_key_alone_verifies(chain: Bench, file: str) -> None:
    chain.tool("openssl x509 -in leaf.pem -outform DER -out leaf.der")
    chain.tool("openssl pkey -in key -pubout -outform DER -out public.der")
    chain.write("message", MESSAGE)
    key = chain.bring_in(file, "verify", options=ROUTES[4])
    assert key.holds(chain.tool("openssl dgst -sha256 -sign key message"))


# --- what is refused ---


@pytest.mark.parametrize(
    ("line", "code"),
    [
        ("genrsa 1024", "key-weak"),
        ("ecparam -name brainpoolP256r1 -genkey -noout", "key-unparsable"),
        ("genpkey -algorithm ed448", "key-unparsable"),
    ],
)
def test_a_key_that_is_not_accepted_never_leaves(bench: Bench, line: str, code: str) -> None:
    key = bench.write("key", bench.tool(f"openssl {line}"))
    run(bench.home, "import", key, "--name", "no", "--usage", "sign", refused=code)
