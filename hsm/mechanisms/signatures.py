"""Signatures: RSA-PSS, RSA PKCS#1 v1.5, ECDSA, Ed25519, ML-DSA."""

# The library declares its keys as abstract classes, and they are what is looked for here.
# mypy: disable-error-code="type-abstract"

from collections.abc import Callable

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey, MLDSA65PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, decode_dss_signature, encode_dss_signature

from hsm.material import Key
from hsm.mechanisms.kinds import INVALID, VALID, Prepared, private, public
from strongroom.protocol.errors import Refused
from strongroom.protocol.instructions import Parameters
from strongroom.protocol.mechanisms import Mechanism, Usage

Make = Callable[[Key, Parameters], Prepared]
Hash = hashes.SHA256 | hashes.SHA384 | hashes.SHA512
MOST_CONTEXT = 255


def _rsa(scheme: padding.PSS | padding.PKCS1v15, algorithm: Hash) -> tuple[Make, Make]:
    def make_sign(key: Key, parameters: Parameters) -> Prepared:
        sign, chosen = private(key, rsa.RSAPrivateKey).sign, _chosen(algorithm, parameters)
        return _sized(lambda payload, _signature, _aad: sign(payload, scheme, chosen), algorithm, parameters)

    def make_verify(key: Key, parameters: Parameters) -> Prepared:
        verify, chosen = public(key, rsa.RSAPublicKey).verify, _chosen(algorithm, parameters)
        return _sized(_checked(lambda p, signature: verify(signature, p, scheme, chosen)), algorithm, parameters)

    return make_sign, make_verify


def _ecdsa(algorithm: Hash) -> tuple[Make, Make]:
    def make_sign(key: Key, parameters: Parameters) -> Prepared:
        owner, chosen = private(key, ec.EllipticCurvePrivateKey), ec.ECDSA(_chosen(algorithm, parameters))
        sign, size = owner.sign, (owner.curve.key_size + 7) // 8
        if parameters.format == "raw":
            return _sized(lambda p, _s, _a: _to_raw(sign(p, chosen), size), algorithm, parameters)
        return _sized(lambda payload, _signature, _aad: sign(payload, chosen), algorithm, parameters)

    def make_verify(key: Key, parameters: Parameters) -> Prepared:
        owner, chosen = public(key, ec.EllipticCurvePublicKey), ec.ECDSA(_chosen(algorithm, parameters))
        verify, size = owner.verify, (owner.curve.key_size + 7) // 8
        if parameters.format == "raw":
            return _sized(_checked(lambda p, s: verify(_from_raw(s, size), p, chosen)), algorithm, parameters)
        return _sized(_checked(lambda p, signature: verify(signature, p, chosen)), algorithm, parameters)

    return make_sign, make_verify


def _sign_ed25519(key: Key, _parameters: Parameters) -> Prepared:
    sign = private(key, Ed25519PrivateKey).sign
    return lambda payload, _signature, _aad: sign(payload)


def _verify_ed25519(key: Key, _parameters: Parameters) -> Prepared:
    verify = public(key, Ed25519PublicKey).verify
    return _checked(lambda payload, signature: verify(signature, payload))


def _sign_ml_dsa(key: Key, _parameters: Parameters) -> Prepared:
    sign = private(key, MLDSA65PrivateKey).sign
    return lambda payload, _signature, aad: sign(payload, _context(aad))


def _verify_ml_dsa(key: Key, _parameters: Parameters) -> Prepared:
    verify = public(key, MLDSA65PublicKey).verify

    def run(payload: bytes, signature: bytes, aad: bytes) -> bytes:
        context = _context(aad)
        try:
            verify(signature, payload, context)
        except InvalidSignature:
            return INVALID
        return VALID

    return run


def _context(aad: bytes) -> bytes:
    if len(aad) > MOST_CONTEXT:
        raise Refused("payload-invalid", f"a context has at most {MOST_CONTEXT} bytes")
    return aad


def _chosen(algorithm: Hash, parameters: Parameters) -> Prehashed | Hash:
    return Prehashed(algorithm) if parameters.prehashed else algorithm


def _sized(run: Prepared, algorithm: Hash, parameters: Parameters) -> Prepared:
    """`run`, where a prehashed payload has the digest's length."""
    if not parameters.prehashed:
        return run

    def sized(payload: bytes, signature: bytes, aad: bytes) -> bytes:
        if len(payload) != algorithm.digest_size:
            raise Refused("payload-invalid", f"a prehashed payload is a digest of {algorithm.digest_size} bytes")
        return run(payload, signature, aad)

    return sized


def _checked(verify: Callable[[bytes, bytes], None]) -> Prepared:
    def run(payload: bytes, signature: bytes, _aad: bytes) -> bytes:
        try:
            verify(payload, signature)
        except InvalidSignature:
            return INVALID
        return VALID

    return run


def _to_raw(signature: bytes, size: int) -> bytes:
    r, s = decode_dss_signature(signature)
    return r.to_bytes(size, "big") + s.to_bytes(size, "big")


def _from_raw(signature: bytes, size: int) -> bytes:
    if len(signature) != 2 * size:
        raise InvalidSignature
    r, s = int.from_bytes(signature[:size], "big"), int.from_bytes(signature[size:], "big")
    return encode_dss_signature(r, s)


def _rows() -> dict[tuple[Usage, Mechanism], Make]:
    pairs: dict[Mechanism, tuple[Make, Make]] = {
        Mechanism.ED25519: (_sign_ed25519, _verify_ed25519),
        Mechanism.ML_DSA_65: (_sign_ml_dsa, _verify_ml_dsa),
    }
    for algorithm in (hashes.SHA256(), hashes.SHA384(), hashes.SHA512()):
        name = f"SHA{algorithm.digest_size * 8}"
        pss = padding.PSS(padding.MGF1(algorithm), algorithm.digest_size)
        pairs[Mechanism(f"RSA-PSS-{name}")] = _rsa(pss, algorithm)
        pairs[Mechanism(f"RSA-PKCS1-{name}")] = _rsa(padding.PKCS1v15(), algorithm)
        pairs[Mechanism(f"ECDSA-{name}")] = _ecdsa(algorithm)
    rows = {}
    for mechanism, (sign, verify) in pairs.items():
        rows[Usage.SIGN, mechanism], rows[Usage.VERIFY, mechanism] = sign, verify
    return rows


SIGNATURES = _rows()
