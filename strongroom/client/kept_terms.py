"""Terms of keys that were sealed here, kept in this folder alone: they are nowhere else but in the device.

terms/DIGEST.json      the exact bytes that were sealed, readable by their owner alone
"""

from strongroom.client.files import write_private
from strongroom.client.home import Home
from strongroom.protocol.errors import Refused
from strongroom.protocol.terms import Terms, check_not_looser, read_terms, terms_digest


def keep(home: Home, encoded: bytes) -> None:
    write_private(home.path / "terms" / f"{terms_digest(encoded)}.json", encoded)


def find(home: Home, digest: str) -> Terms | None:
    """The terms of this digest; None where they were sealed elsewhere."""
    path = home.path / "terms" / f"{digest}.json"
    data = path.read_bytes() if path.exists() else b""
    return read_terms(data) if terms_digest(data) == digest else None


def check_succession(home: Home, new: Terms, digest_before: str) -> None:
    """Raise `Refused("terms-looser")`, naming the terms, before anything is sent: the device names none.

    Of terms that are not kept here only the device can tell.
    """
    before = find(home, digest_before)
    if before is None:
        return
    try:
        check_not_looser(new, before)
    except Refused as looser:
        raise Refused(looser.code, f"looser than in the version before: {looser.detail}") from None
