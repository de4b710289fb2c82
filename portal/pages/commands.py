"""The commands that pages offer for a key, by what keys of its type can do."""

from tee.models import Key

_BY_TYPE = {
    "RSA": ["sign --key {name} --in FILE --out FILE.sig", "decrypt --key {name} --in FILE.enc --out FILE"],
    "EC-P256": ["sign --key {name} --in FILE --out FILE.sig"],
    "AES-256": ["encrypt --key {name} --in FILE --out FILE.enc", "decrypt --key {name} --in FILE.enc --out FILE"],
}


def commands_for(key: Key) -> str:
    """Command lines, one a line."""
    kind = next((name for name in _BY_TYPE if key.key_type.startswith(name)), "RSA")
    return "\n".join(f"strongroom {line.format(name=key.name)}" for line in _BY_TYPE[kind])
