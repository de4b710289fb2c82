"""Key agreement with HKDF inside: the agreed secret itself is never given out."""

from collections.abc import Callable

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import load_der_public_key

from hsm.material import Key
from hsm.mechanisms.kinds import Prepared
from strongroom.protocol.encoding import from_b64u
from strongroom.protocol.errors import Refused
from strongroom.protocol.instructions import Parameters
from strongroom.protocol.mechanisms import Mechanism, Usage

LONGEST = 255 * 32


def _make_derive(key: Key, parameters: Parameters) -> Prepared:
    length, salt = parameters.length or 32, from_b64u(parameters.salt) or None
    if not 16 <= length <= LONGEST:
        raise Refused("mechanism-unsupported", f"16 to {LONGEST} bytes can be derived")

    def run(payload: bytes, _signature: bytes, aad: bytes) -> bytes:
        return HKDF(hashes.SHA256(), length, salt=salt, info=aad).derive(_agree(key, payload))

    return run


def _agree(key: Key, payload: bytes) -> bytes:
    try:
        peer = load_der_public_key(payload)
        if isinstance(peer, X25519PublicKey) and isinstance(key, X25519PrivateKey):
            return key.exchange(peer)
        if isinstance(peer, ec.EllipticCurvePublicKey) and isinstance(key, ec.EllipticCurvePrivateKey):
            return key.exchange(ec.ECDH(), peer)
    except (ValueError, UnsupportedAlgorithm):
        pass
    raise Refused("payload-invalid", "not a public key that this key can agree with")


AGREEMENT: dict[tuple[Usage, Mechanism], Callable[[Key, Parameters], Prepared]] = {
    (Usage.DERIVE, Mechanism.ECDH_HKDF_SHA256): _make_derive
}
