"""The provider's own secrets of a development stack: made once, each in a file of mode 0600."""

import secrets

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from stack.layout import State, write_private


def make_provider_secrets(state: State) -> None:
    """Django's secret key, the roles' database password, and the key that signs validation statements."""
    state.folder("provider")
    for path in (state.secret_key_file, state.database_password_file):
        if not path.exists():
            write_private(path, secrets.token_urlsafe(48).encode())
    if not state.validation_key_file.exists():
        key = Ed25519PrivateKey.generate()
        write_private(state.validation_key_file, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
