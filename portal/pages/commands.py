"""The commands that pages offer for a key, by what keys of its type can do."""

from tee.models import Key

_SIGN = ["sign --key {name} --in FILE --out FILE.sig"]
_CIPHER = ["encrypt --key {name} --in FILE --out FILE.enc", "decrypt --key {name} --in FILE.enc --out FILE"]
_BY_TYPE = {
    "RSA": [*_SIGN, _CIPHER[1]],
    "EC-": _SIGN,
    "Ed25519": _SIGN,
    "ML-DSA": _SIGN,
    "X25519": ["derive --key {name} --peer PEER.pem --info TEXT --out FILE"],
    "AES-": _CIPHER,
    "ChaCha20": _CIPHER,
    "HMAC": ["hash --key {name} --in FILE --out FILE.mac"],
}


def commands_for(key: Key) -> str:
    """Command lines, one a line."""
    lines = next((lines for prefix, lines in _BY_TYPE.items() if key.key_type.startswith(prefix)), [])
    return "\n".join(f"strongroom {line.format(name=key.name)}" for line in lines)
