"""The provider's own secrets of a development stack: made once, each in a file of mode 0600."""

import secrets

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from stack.layout import StackError, State, write_private
from strongroom.protocol.credentials import public_credential


def make_provider_secrets(state: State) -> None:
    """Django's secret key, the roles' database password, the token for metrics, engine's and validator's keys."""
    state.folder("provider")
    for path in (state.secret_key_file, state.database_password_file, state.metrics_token_file):
        if not path.exists():
            write_private(path, secrets.token_urlsafe(48).encode())
    if not state.engine_key_file.exists():
        write_private(state.engine_key_file, secrets.token_bytes(32))
    if not state.validation_key_file.exists():
        key = Ed25519PrivateKey.generate()
        write_private(state.validation_key_file, key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    # Its public half follows from it, so that a kill between the two costs nothing.
    signing = load_pem_private_key(state.validation_key_file.read_bytes(), None)
    if not isinstance(signing, Ed25519PrivateKey):
        raise StackError(f"{state.validation_key_file} does not hold an Ed25519 key")
    write_private(state.validation_credential_file, msgspec.json.encode(public_credential(signing)))
