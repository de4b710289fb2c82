"""The answer to: have you seen this key, since when, and is it in force as far as its own source says?"""

import time
from typing import Annotated

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom.protocol import jws
from strongroom.protocol.errors import Refused
from strongroom.protocol.statements import ValidationStatement
from validator.selectors import Source, WatchedKey, get_key, last_look
from validator.services import SUBJECT
from validator.sightings import Subject
from validator.store import Store
from validator.watcher import Watcher

LIFETIME = 300
"""Seconds for which an answer counts."""
PATIENCE = 60
"""Seconds for which a silent source's last word is repeated; after that nobody knows what it says now."""

SOURCE: dict[Subject, Source] = {subject: source for source, subject in SUBJECT.items()}


class ValidationRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A question. Other members, which other validators know, are passed over."""

    nonce: Annotated[str, msgspec.Meta(pattern=r"^[!-~]{16,128}\Z")]
    subject: Subject
    key_id: Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9_]{1,64}\Z")]


class Validator:
    """Answers in its own name, with its own key."""

    def __init__(self, *, name: str, key: Ed25519PrivateKey, store: Store, watcher: Watcher) -> None:
        self._name = name
        self._key = key
        self._store = store
        self._watcher = watcher

    def answer(self, request: ValidationRequest) -> str:
        """A `ValidationStatement` as JWS. A key that was never seen has the status `unknown`, signed too.

        Raises `Refused("unavailable")` where the key's source has been silent for too long to know.
        """
        # 1. What was seen; where that is not enough to answer, look again now.
        key = self._seen(request)
        if key is None or key.single_use:
            self._watcher.look_for(request.subject, request.key_id)
            key = self._seen(request)
        else:
            self._require_recent(SOURCE[request.subject])
        # 2. Signed over the nonce.
        now = int(time.time())
        return jws.sign(
            ValidationStatement(
                validator=self._name,
                subject=request.subject,
                key_id=request.key_id,
                public_key_digest=key.public_key_digest if key else "",
                device=key.device if key else "",
                device_status=key.device_status if key else "unknown",
                provider=key.provider if key else "",
                status=key.status if key else "unknown",
                not_before=key.not_before if key else None,
                not_after=key.not_after if key else None,
                nonce=request.nonce,
                issued_at=now,
                expires_at=now + LIFETIME,
                first_seen=key.first_seen if key else None,
            ),
            self._key,
        )

    def _seen(self, request: ValidationRequest) -> WatchedKey | None:
        with self._store.reading() as history:
            key = get_key(history, request.key_id)
        return key if key is not None and key.subject == request.subject else None

    def _require_recent(self, source: Source) -> None:
        if not self._is_recent(source) and not self._watcher.look(source):
            raise Refused("unavailable", f"the {source} has been silent for too long")

    def _is_recent(self, source: Source) -> bool:
        with self._store.reading() as history:
            return 0 <= int(time.time()) - last_look(history, source) <= PATIENCE
