"""Hashes, which need no key, and message authentication codes, which do."""

import hashlib
import hmac
from collections.abc import Callable

from cryptography.hazmat.primitives.ciphers import algorithms
from cryptography.hazmat.primitives.cmac import CMAC

from hsm.material import Key
from hsm.mechanisms.kinds import INVALID, VALID, Prepared, secret
from strongroom.protocol.instructions import Parameters
from strongroom.protocol.mechanisms import Mechanism, Usage

Make = Callable[[Key, Parameters], Prepared]
_HASHES = {
    Mechanism.SHA_256: "sha256",
    Mechanism.SHA_384: "sha384",
    Mechanism.SHA_512: "sha512",
    Mechanism.SHA3_256: "sha3_256",
    Mechanism.SHA3_384: "sha3_384",
    Mechanism.SHA3_512: "sha3_512",
}
_HMACS = {Mechanism.HMAC_SHA256: "sha256", Mechanism.HMAC_SHA384: "sha384", Mechanism.HMAC_SHA512: "sha512"}


def _hash(name: str) -> Make:
    return lambda _key, _parameters: lambda payload, _signature, _aad: hashlib.new(name, payload).digest()


def _hmac(name: str) -> Callable[[Key], Callable[[bytes], bytes]]:
    def of(key: Key) -> Callable[[bytes], bytes]:
        raw = secret(key)
        return lambda payload: hmac.digest(raw, payload, name)

    return of


def _cmac(key: Key) -> Callable[[bytes], bytes]:
    algorithm = algorithms.AES(secret(key))

    def code(payload: bytes) -> bytes:
        context = CMAC(algorithm)
        context.update(payload)
        return context.finalize()

    return code


def _rows() -> dict[tuple[Usage, Mechanism], Make]:
    rows: dict[tuple[Usage, Mechanism], Make] = {
        (Usage.HASH, mechanism): _hash(name) for mechanism, name in _HASHES.items()
    }
    codes = {mechanism: _hmac(name) for mechanism, name in _HMACS.items()} | {Mechanism.AES_CMAC: _cmac}
    for mechanism, of in codes.items():
        rows[Usage.HASH, mechanism], rows[Usage.VERIFY, mechanism] = _make_code(of), _make_check(of)
    return rows


def _make_code(of: Callable[[Key], Callable[[bytes], bytes]]) -> Make:
    def make(key: Key, _parameters: Parameters) -> Prepared:
        code = of(key)
        return lambda payload, _signature, _aad: code(payload)

    return make


def _make_check(of: Callable[[Key], Callable[[bytes], bytes]]) -> Make:
    def make(key: Key, _parameters: Parameters) -> Prepared:
        code = of(key)
        return lambda payload, given, _aad: VALID if hmac.compare_digest(code(payload), given) else INVALID

    return make


DIGESTS = _rows()
