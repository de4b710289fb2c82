"""Certification requests, signed inside: what is signed is built here, and says only what a request says."""

from collections.abc import Callable

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding

from hsm.material import Key
from hsm.mechanisms.kinds import Prepared
from strongroom.protocol.certification import read_subject, request_builder
from strongroom.protocol.errors import Refused
from strongroom.protocol.instructions import Parameters
from strongroom.protocol.mechanisms import Mechanism, Usage

_CURVE_HASH: dict[int, hashes.SHA256 | hashes.SHA384 | hashes.SHA512] = {
    256: hashes.SHA256(),
    384: hashes.SHA384(),
    521: hashes.SHA512(),
}


def _make_request(key: Key, _parameters: Parameters) -> Prepared:
    algorithm: hashes.SHA256 | hashes.SHA384 | hashes.SHA512 | None
    if isinstance(key, ec.EllipticCurvePrivateKey):
        algorithm = _CURVE_HASH[key.key_size]
    elif isinstance(key, rsa.RSAPrivateKey):
        algorithm = hashes.SHA256()
    elif isinstance(key, Ed25519PrivateKey):
        algorithm = None
    else:
        raise Refused("mechanism-unsupported", "this mechanism needs another kind of private key")

    def run(payload: bytes, _signature: bytes, _aad: bytes) -> bytes:
        return request_builder(read_subject(payload)).sign(key, algorithm).public_bytes(Encoding.DER)

    return run


REQUESTS: dict[tuple[Usage, Mechanism], Callable[[Key, Parameters], Prepared]] = {
    (Usage.SIGN, Mechanism.X509_CSR): _make_request
}
