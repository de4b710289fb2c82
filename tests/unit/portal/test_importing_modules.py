"""The modules of the page of imports against this repository's own protocol: what the one writes the other reads."""

import hashlib
import json
import os
import shlex
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import typer
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat

from stack.layout import PROJECT
from strongroom.cli.main import app
from strongroom.client.material import read_material
from strongroom.protocol import jws
from strongroom.protocol.access import AccessList, device_principal
from strongroom.protocol.credentials import PublicCredential, public_credential
from strongroom.protocol.encoding import b64u, canonical_json, from_b64u, make_id, read_json
from strongroom.protocol.envelope import (
    Envelope,
    ImportHeader,
    binding_of,
    check_header,
    strip_provider_layer,
    unwrap,
)
from strongroom.protocol.mechanisms import KeyType, Mechanism, Usage
from strongroom.protocol.revocation import Revocation
from strongroom.protocol.sealing import RecipientPrivateKey
from strongroom.protocol.terms import Terms, read_terms
from tests.support.page_modules import PageModules

pytestmark = pytest.mark.needs("node", "npm")

VECTORS = PROJECT / "tests/vectors"


@pytest.fixture(scope="module")
def modules(tmp_path_factory: pytest.TempPathFactory) -> PageModules:
    return PageModules(tmp_path_factory.mktemp("modules"))


@pytest.fixture(scope="module")
def registry() -> dict[str, Any]:
    from strongroom.protocol.mechanisms import REGISTRY as rows

    return {
        name: {"key_types": sorted(row.key_types), "operations": sorted(row.operations)} for name, row in rows.items()
    }


def vector(name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((VECTORS / name).read_text())
    return found


def pkcs8(key: Any, encoding: Encoding = Encoding.DER) -> bytes:
    data: bytes = key.private_bytes(encoding, PrivateFormat.PKCS8, NoEncryption())
    return data


def read(modules: PageModules, data: bytes, key_type: str = "", encoding: str = "") -> dict[str, Any]:
    script = """
        const { readMaterial } = await import("./material.js");
        const found = await readMaterial(fromHex(given.data), given.key_type, given.encoding);
        return { ...found, secret: hex(found.secret) };
    """
    found: dict[str, Any] = modules.run(script, {"data": data.hex(), "key_type": key_type, "encoding": encoding})
    return found


# --- encodings -------------------------------------------------------------------------------------------------------


def test_names_digests_and_json_are_spelled_alike(modules: PageModules) -> None:
    raw = os.urandom(1216)
    value = {"b": [1, 'ü\u2028\n"', None, True], "a": {"z": "", "y": -7}, "é": "x"}
    script = """
        const { b64u, canonical, digest, fromB64u, makeId, thumbprint } = await import("./encoding.js");
        const raw = fromHex(given.raw);
        return [await makeId("vk_", raw), await thumbprint(raw.subarray(0, 32)), b64u(raw), await digest(raw),
          hex(fromB64u(b64u(raw))), canonical(given.value), (await makeId("imp_")).length];
    """
    one, name, text, digest, again, written, length = modules.run(script, {"raw": raw.hex(), "value": value})
    assert one == make_id("vk_", raw)
    key = Ed25519PrivateKey.generate().public_key()
    assert len(name) == len(public_credential(key).fingerprint)
    assert (text, digest, again) == (b64u(raw), hashlib.sha256(raw).hexdigest(), raw.hex())
    assert written.encode() == canonical_json(value)
    assert length == len(make_id("imp_"))


@pytest.mark.parametrize("text", ["A", "AB==", "A+", "AB\n", "QR", "=", "ÄÄ"])
def test_base64url_has_one_spelling(modules: PageModules, text: str) -> None:
    refused = modules.run('return hex((await import("./encoding.js")).fromB64u(given))', text)
    assert refused["refused"] == "malformed"


# --- envelopes -------------------------------------------------------------------------------------------------------


def test_the_context_of_each_layer_is_the_vectors_byte_for_byte(modules: PageModules) -> None:
    known = vector("envelope-hpke-xwing.json")
    binding = binding_of(jws.read_unverified(known["header"], ImportHeader))
    script = """
        const { info } = await import("./envelope.js");
        return Object.fromEntries(["material", "terms"].flatMap((part) => ["vendor", "provider"].map((layer) =>
          [`${part}-${layer}`, info(given, part, layer)])));
    """
    assert modules.run(script, json.loads(canonical_json(binding))) == known["info"]


def test_an_envelope_of_the_page_opens_with_the_vectors_keys(modules: PageModules) -> None:
    known = vector("envelopes.json")
    keys = {name: RecipientPrivateKey(from_b64u(known["keys"]["HPKE-XWING"][name])) for name in ("vendor", "provider")}
    material, terms = from_b64u(known["material"]), known["terms"].encode()
    script = """
        const { b64u, fromB64u, thumbprint, utf8 } = await import("./encoding.js");
        const { wrap } = await import("./envelope.js");
        const pair = await crypto.subtle.generateKey("Ed25519", false, ["sign", "verify"]);
        const raw = new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey));
        const { vendor, provider, material, terms, ...rest } = given;
        const key = (one) => ({ key_id: one.key_id, raw: fromB64u(one.text) });
        const wrapping = { ...rest, vendor: key(vendor), provider: key(provider) };
        const signer = { privateKey: pair.privateKey, fingerprint: await thumbprint(raw) };
        const made = await wrap(fromHex(material), fromHex(terms), wrapping, signer);
        return { ...made, material: hex(made.material), terms: hex(made.terms), signer: hex(raw) };
    """
    given = {
        "material": material.hex(),
        "terms": terms.hex(),
        "vendor": {"key_id": keys["vendor"].public().key_id("vk_"), "text": keys["vendor"].public().text},
        "provider": {"key_id": keys["provider"].public().key_id("pk_"), "text": keys["provider"].public().text},
        "import_id": make_id("imp_"),
        "tenant": "acme",
        "partition": make_id("pt_"),
        "owner": "o" * 43,
        "device": make_id("dev_"),
        "name": "from-a-page",
        "version": 1,
        "validations": [
            {
                "validator": "v",
                "subject": "partition",
                "status": "operational",
                "statement_digest": "0" * 64,
                "issued_at": 1,
            }
        ],
        "created_at": int(time.time()),
    }
    made = modules.run(script, given)
    envelope = Envelope(
        header=made["header"], material=bytes.fromhex(made["material"]), terms=bytes.fromhex(made["terms"])
    )
    signer = Ed25519PublicKey.from_public_bytes(bytes.fromhex(made["signer"]))
    header = check_header(envelope, signer)
    assert canonical_json(header) == from_b64u(made["header"].split(".")[1])
    assert unwrap(strip_provider_layer(envelope, header, keys["provider"]), header, keys["vendor"]) == (material, terms)


def test_what_is_sealed_here_opens_with_the_pages_library(modules: PageModules) -> None:
    # npm's private key is the seed from which draft-ietf-hpke-pq has SHAKE-256 make both halves.
    seed, plain, info = os.urandom(32), os.urandom(300), b'{"v":"strongroom-envelope-1"}'
    key = RecipientPrivateKey(hashlib.shake_256(seed).digest(96))
    script = """
        const { Aes256Gcm, CipherSuite, HkdfSha256 } = await import("@hpke/core");
        const { XWing } = await import("@hpke/hybridkem-x-wing");
        const suite = new CipherSuite({ kem: new XWing(), kdf: new HkdfSha256(), aead: new Aes256Gcm() });
        const recipientKey = await suite.kem.importKey("raw", fromHex(given.seed).buffer, false);
        const sealed = fromHex(given.sealed);
        const recipient = await suite.createRecipientContext(
          { recipientKey, enc: sealed.slice(0, 1120), info: new TextEncoder().encode(given.info) });
        return hex(new Uint8Array(await recipient.open(sealed.slice(1120))));
    """
    sealed = key.public().seal(plain, info)
    assert modules.run(script, {"seed": seed.hex(), "sealed": sealed.hex(), "info": info.decode()}) == plain.hex()


def test_the_pages_library_agrees_with_the_drafts_vector(modules: PageModules) -> None:
    known = vector("hpke-pq-kem.json")
    script = """
        const { XWing } = await import("@hpke/hybridkem-x-wing");
        const kem = new XWing();
        const recipientKey = await kem.importKey("raw", fromHex(given.skRm).buffer, false);
        const shared = await kem.decap({ recipientKey, enc: fromHex(given.enc).buffer });
        return hex(new Uint8Array(shared));
    """
    assert modules.run(script, known) == known["shared_secret"]


# --- terms -----------------------------------------------------------------------------------------------------------

MAKE_TERMS = """
    const { encode, makeTerms } = await import("./terms.js");
    return hex(encode(await makeTerms(given.terms, given.key_type, given.registry, given.now)));
"""
PLAIN = {
    "usages": ["sign", "verify"],
    "mechanisms": [],
    "authorisation": "signed",
    "notBefore": "",
    "notAfter": "",
    "translateTo": [],
    "revocation": None,
}


def test_terms_are_the_devices_own_bytes(modules: PageModules, registry: dict[str, Any]) -> None:
    now = int(time.time())
    pin = Ed25519PrivateKey.generate().public_key()
    pem = pin.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    der = pin.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    revocation = {
        "url": "https://keys.acme.example/revoked",
        "token": "t0ken",
        "pin": pem,
        "every": "5m",
        "answerKey": pem,
    }
    asked = {
        **PLAIN,
        "mechanisms": ["ECDSA-SHA256"],
        "notBefore": "2026-01-02",
        "notAfter": "90d",
        "authorisation": "token",
        "revocation": revocation,
    }
    given = {"terms": asked, "key_type": "EC-P256", "registry": registry, "now": now}
    made = bytes.fromhex(modules.run(MAKE_TERMS, given))
    terms = read_terms(made)
    assert terms == Terms(
        salt=terms.salt,
        key_type=KeyType.EC_P256,
        usages=[Usage.SIGN, Usage.VERIFY],
        authorisation="token",
        mechanisms=[Mechanism.ECDSA_SHA256],
        not_before=1767312000,
        not_after=now + 90 * 86400,
        revocation=Revocation(
            url=revocation["url"],
            token="t0ken",
            public_keys=[hashlib.sha256(der).hexdigest()],
            every=300,
            answer_key=b64u(pin.public_bytes_raw()),
        ),
    )
    assert terms.encode() == made
    assert len(from_b64u(terms.salt)) == 16


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"usages": []}, "what the key may be used for"),
        ({"usages": ["decrypt"]}, "can decrypt"),
        ({"mechanisms": ["AES-GCM"]}, "can sign"),
        ({"mechanisms": ["ECDSA-SHA256", "SHA-256"]}, "SHA-256 serves none"),
        ({"notAfter": "2020-01-01"}, "in the past"),
        ({"notAfter": "tomorrow"}, "neither a time"),
        ({"notBefore": "20d", "notAfter": "10d"}, "ends before it begins"),
        ({"translateTo": ["other"]}, "translate is not among"),
        ({"revocation": {"url": "http://a.example", "token": "t", "pin": "", "every": "60s"}}, "not https"),
        ({"revocation": {"url": "https://a.example", "token": "t t", "pin": "", "every": "60s"}}, "bearer token"),
        ({"revocation": {"url": "https://a.example", "token": "t", "pin": "", "every": "60s"}}, "pinned by 1 to 8"),
    ],
)
def test_terms_that_contradict_themselves_are_refused(
    modules: PageModules, registry: dict[str, Any], change: dict[str, Any], said: str
) -> None:
    given = {"terms": PLAIN | change, "key_type": "EC-P256", "registry": registry, "now": int(time.time())}
    refused = modules.run(MAKE_TERMS, given)
    assert refused["refused"] == "terms-refused"
    assert said in refused["sentence"]


# --- key files -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", [Encoding.PEM, Encoding.DER])
@pytest.mark.parametrize(
    "make",
    [
        lambda: rsa.generate_private_key(65537, 2048),
        lambda: ec.generate_private_key(ec.SECP256R1()),
        lambda: ec.generate_private_key(ec.SECP384R1()),
        lambda: ec.generate_private_key(ec.SECP521R1()),
        Ed25519PrivateKey.generate,
        X25519PrivateKey.generate,
    ],
    ids=["RSA", "EC-P256", "EC-P384", "EC-P521", "Ed25519", "X25519"],
)
def test_a_key_pair_is_read_as_the_command_reads_it(modules: PageModules, make: Any, encoding: Encoding) -> None:
    data = pkcs8(make(), encoding)
    found, known = read(modules, data), read_material(data)
    assert (found["key_type"], found["public_key"]) == (known.key_type, known.public_key)
    assert read_material(bytes.fromhex(found["secret"])).secret == known.secret


@pytest.mark.parametrize(
    ("data", "key_type", "encoding"),
    [
        (bytes(range(16)), "", ""),
        (bytes(range(100, 132)), "", ""),
        (bytes(range(100, 132)), "ChaCha20", ""),
        (bytes(range(100, 132)), "HMAC", ""),
        (bytes(range(100, 164)), "HMAC", "raw"),
        (bytes(range(32)).hex().encode(), "AES-256", ""),
        (bytes(range(32)).hex().encode() + b"\n", "AES-256", "hex"),
        (bytes(range(32)).hex().encode(), "HMAC", "hex"),
        (b"0123456789abcdef", "AES-128", "raw"),
    ],
)
def test_a_symmetric_key_is_read_as_the_command_reads_it(
    modules: PageModules, data: bytes, key_type: str, encoding: Any
) -> None:
    found = read(modules, data, key_type, encoding)
    known = read_material(data, KeyType(key_type) if key_type else None, encoding=encoding or None)
    assert (found["key_type"], found["secret"], found["check_value"]) == (
        known.key_type,
        known.secret.hex(),
        known.check_value,
    )


def test_a_file_that_is_no_key_for_a_browser_is_refused_with_what_to_do(modules: PageModules) -> None:
    good = ec.generate_private_key(ec.SECP256R1())
    sec1 = good.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    damaged = bytearray(pkcs8(good))
    damaged[-40] ^= 1
    for data, key_type, code, said in [
        (b"", "", "key-unparsable", "empty"),
        (b"a shopping list, which is long enough to be no key", "", "key-unparsable", "no key that the browser reads"),
        (sec1, "", "key-unparsable", "openssl pkcs8 -topk8"),
        (pkcs8(good, Encoding.PEM)[:90], "", "key-unparsable", "cut off"),
        (pkcs8(good, Encoding.PEM) * 2, "", "key-unparsable", "several keys"),
        (pkcs8(good) + b"\0", "", "key-unparsable", "no key that the browser reads"),
        (bytes(damaged), "", "key-unparsable", "damaged"),
        (pkcs8(ec.generate_private_key(ec.SECP256K1())), "", "key-unparsable", "command knows more"),
        (pkcs8(rsa.generate_private_key(3, 2048)), "", "key-weak", "exponent"),
        (pkcs8(good), "RSA", "key-unparsable", "EC-P256, and not RSA"),
        (b'{"kty":"oct","k":"AAAA"}', "", "key-unparsable", "JWK"),
        (b"0123456789abcdef", "", "key-unparsable", "spell the key"),
        (bytes(8), "HMAC", "key-weak", "16 to 1024"),
        (b"0123456789abcdeX\n", "AES-128", "key-unparsable", "line feed"),
    ]:
        refused = read(modules, data, key_type)
        assert (refused.get("refused"), said in refused.get("sentence", "")) == (code, True), (data[:20], refused)


# --- signatures ------------------------------------------------------------------------------------------------------


def test_a_statement_is_believed_only_from_its_signer_and_of_its_kind(modules: PageModules) -> None:
    key, other = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    statement = AccessList(partition="pt_x", version=1, previous="", owners=[public_credential(key)], principals=[])
    token = jws.sign(statement, key)
    header, payload, signature = token.split(".")
    looser = b64u(canonical_json({**json.loads(from_b64u(payload)), "besides": 1}))
    script = """
        const { verify } = await import("./jws.js");
        const kinds = await import("./statements.js");
        return verify(given.token, kinds[given.kind], fromHex(given.key));
    """

    def verify(token: str, signer: Ed25519PrivateKey = key, kind: str = "ACCESS_LIST") -> Any:
        given = {"token": token, "kind": kind, "key": signer.public_key().public_bytes_raw().hex()}
        return modules.run(script, given)

    assert verify(token)["partition"] == "pt_x"
    assert verify(token, other)["refused"] == "signature-invalid"
    assert verify(token, kind="RECEIPT")["refused"] == "statement-malformed"
    assert verify(f"{header}.{looser}.{signature}")["refused"] == "signature-invalid"
    assert verify(f"{header}.{payload}.{signature}=")["refused"] == "statement-malformed"
    unsigned = b64u(canonical_json({"alg": "none", "typ": AccessList.TYP, "kid": public_credential(key).fingerprint}))
    assert verify(f"{unsigned}.{payload}.")["refused"] == "statement-malformed"


# --- the command -----------------------------------------------------------------------------------------------------


def test_the_command_that_the_page_offers_is_one_that_there_is(modules: PageModules) -> None:
    given = {
        "file": "my key's.pem",
        "name": "release",
        "usages": ["sign", "translate"],
        "keyType": "EC-P256",
        "encoding": "raw",
        "authorisation": "token",
        "mechanisms": ["ECDSA-SHA256"],
        "notBefore": "2027-01-01",
        "notAfter": "90d",
        "translateTo": ["*"],
        "revocation": {"url": "https://a.example/?a=1&b", "every": "5m", "pinFile": "c.pem", "answerKeyFile": "k.pem"},
    }
    script = 'return (await import("./command.js")).commandFor(given)'
    words = shlex.split(modules.run(script, given))
    assert words[:3] == ["strongroom", "import", "my key's.pem"]
    options = dict(zip(words[3::2], words[4::2], strict=True))
    assert options["--translate-to"] == "*"
    assert options["--revoke-at"] == given["revocation"]["url"]  # type: ignore[index]
    command = typer.main.get_command(app).commands["import"]  # type: ignore[attr-defined]
    assert set(options) <= {name for one in command.params for name in one.opts}
    assert modules.run(script, {**given, "file": "-x.pem", "revocation": None}).startswith(
        "strongroom import ./-x.pem "
    )


def test_the_owners_command_lists_the_browser_for_imports_alone(modules: PageModules, tmp_path: Path) -> None:
    key = public_credential(Ed25519PrivateKey.generate())
    device = {"x": key.x, "fingerprint": key.fingerprint, "name": "alice's browser"}
    written = modules.run('return (await import("./command.js")).allowCommand(given)', device)
    first, second = written.splitlines()
    subprocess.run(["sh", "-c", first], cwd=tmp_path, check=True)
    assert read_json((tmp_path / "browser.json").read_bytes(), PublicCredential) == key
    words = shlex.split(second)
    assert words[:4] == ["strongroom", "access", "allow", device_principal(key)]
    assert dict(zip(words[4::2], words[5::2], strict=True)) == {
        "--rights": "import",
        "--label": "alice's browser",
        "--credential": "browser.json",
    }
