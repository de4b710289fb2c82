"""Signatures of callbacks as Standard Webhooks (version 1) has them: HMAC-SHA256 over id, time and body."""

import base64
import hashlib
import hmac
import secrets

PREFIX = "whsec_"
_BYTES = 32


def new_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(_BYTES)).decode()


def signed_headers(message: str, timestamp: int, body: bytes, keys: list[str]) -> dict[str, str]:
    """The three headers. `keys`: the secrets in force, each of which signs."""
    content = f"{message}.{timestamp}.".encode() + body
    signatures = []
    for key in keys:
        raw = base64.b64decode(key.removeprefix(PREFIX))
        signatures.append("v1," + base64.b64encode(hmac.new(raw, content, hashlib.sha256).digest()).decode())
    return {
        "webhook-id": message,
        "webhook-timestamp": str(timestamp),
        "webhook-signature": " ".join(signatures),
    }
