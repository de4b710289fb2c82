"""What a key file is, and the key in it: the one way in for every format."""

from dataclasses import replace

from cryptography.hazmat.primitives.serialization import Encoding, load_pem_public_key

from strongroom.client.material.certificates import leaf, own_chain, read_certificates
from strongroom.client.material.jwk import as_jwk, read_jwk
from strongroom.client.material.kinds import Material, key_pair, public_half, spki
from strongroom.client.material.private_keys import (
    Loaded,
    is_locked,
    load_der,
    load_openssh_public,
    load_pem,
    pem_labels,
)
from strongroom.client.material.symmetric import TextEncoding, read_symmetric
from strongroom.protocol.errors import Refused
from strongroom.protocol.mechanisms import SYMMETRIC, KeyType

_KNOWN = "not a key in any form that is known: PKCS#8, PKCS#1, SEC1, OpenSSH, JWK, PKCS#12, X.509, raw or hexadecimal"
_FOREIGN = {
    b"PuTTY-User-Key-File": "a PuTTY key; convert it with `puttygen KEY -O private-openssh`",
    b"\xfe\xed\xfe\xed": "a Java keystore; convert it with `keytool -importkeystore … -deststoretype PKCS12`",
    b"-----BEGIN PGP": "an OpenPGP key, which is not accepted",
    b"---- BEGIN SSH2": "an SSH2 public key; convert it with `ssh-keygen -i`",
}


def needs_passphrase(data: bytes) -> bool:
    """Whether the file holds a private key that is under a passphrase."""
    return is_locked(data)


def read_material(
    data: bytes,
    key_type: KeyType | None = None,
    passphrase: bytes | None = None,
    *,
    encoding: TextEncoding | None = None,
    certificate: bytes = b"",
) -> Material:
    """The key in a file, with the certificates that are in it or in `certificate`.

    `key_type`: what the owner says that it is. `encoding`: how a symmetric key is written. Raises `Refused`
    (`key-unparsable`, `key-weak`, `key-self-test-failed`, `certificate-mismatch`) in the owner's words, which never
    quote the file.
    """
    material = _read(data, key_type, passphrase, encoding)
    if key_type not in (None, material.key_type):
        raise Refused("key-unparsable", f"the file holds a key of type {material.key_type}, not {key_type}")
    if not certificate:
        return material
    if material.key_type in SYMMETRIC:
        raise Refused("certificate-mismatch", "a symmetric key has no certificate")
    public = load_pem_public_key(material.public_key.encode())
    return replace(material, certificates=own_chain(read_certificates(certificate), spki(public, Encoding.DER)))  # type: ignore[arg-type]


def public_key_der(data: bytes) -> bytes:
    """The public key (of any file that holds one, or its private half) as SubjectPublicKeyInfo in DER.

    Raises `Refused("key-unparsable" | "key-weak")`.
    """
    material = read_material(data)
    if material.key_type in SYMMETRIC:
        raise Refused("key-unparsable", "the file holds no public key")
    return spki(load_pem_public_key(material.public_key.encode()), Encoding.DER)  # type: ignore[arg-type]


def _read(data: bytes, key_type: KeyType | None, passphrase: bytes | None, encoding: TextEncoding | None) -> Material:
    # 1. What says itself what it is: text with a beginning of its own.
    for beginning, words in _FOREIGN.items():
        if data.startswith(beginning):
            raise Refused("key-unparsable", f"the file holds {words}")
    if encoding is None:
        if pem_labels(data) or b"-----BEGIN " in data:
            return _material(load_pem(data, passphrase))
        if (jwk := as_jwk(data)) is not None:
            return read_jwk(jwk, key_type)
        if data.startswith((b"ssh-", b"ecdsa-sha2-", b"sk-")):
            return _material(load_openssh_public(data))
    # 2. A symmetric key, where the owner or the length says so.
    if encoding or key_type is None or key_type in SYMMETRIC:
        found = read_symmetric(data, key_type, encoding)
        if found is not None:
            return found
    # 3. DER.
    loaded = load_der(data, passphrase)
    if loaded is None:
        raise Refused("key-unparsable", _KNOWN)
    return _material(loaded)


def _material(loaded: Loaded) -> Material:
    chain = list(loaded.certificates)
    if loaded.private is not None:
        material, public = key_pair(loaded.private, loaded.form), loaded.private.public_key()
    else:
        public = loaded.public or leaf(chain).public_key()
        material = public_half(public, loaded.form)
    return replace(material, certificates=own_chain(chain, spki(public, Encoding.DER))) if chain else material
