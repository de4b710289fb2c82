"""What parent and revocator say to each other, each message one packet of MessagePack."""

import msgspec


class GiveStatus(msgspec.Struct, frozen=True, tag="status"):
    """The parent asks how these versions stand."""

    question: int
    paths: list[str]


class Stands(msgspec.Struct, frozen=True):
    """How one version stands; as `commands.VersionStatus`."""

    good: bool
    answer: str
    answered_at: int | None
    last_check: int | None
    failure: str
    next_check: int | None
    why: str
    checks: int
    seconds: float


class StatusIs(msgspec.Struct, frozen=True, tag="status-is"):
    """Answer to `GiveStatus`: without those that are not watched (yet)."""

    question: int
    versions: dict[str, Stands]


class Revoke(msgspec.Struct, frozen=True, tag="revoke"):
    """An authentic answer, with this digest, says of versions of one partition (path to reason) that they are revoked.

    It is told again until their records say so too.
    """

    partition: str
    source: str
    answer: str
    versions: dict[str, str]


class Changed(msgspec.Struct, frozen=True, tag="changed"):
    """Versions (paths) of one partition that came to be suspended, or resumed."""

    partition: str
    event: str
    paths: list[str]
    why: str


decoder = msgspec.msgpack.Decoder(GiveStatus | StatusIs | Revoke | Changed)
