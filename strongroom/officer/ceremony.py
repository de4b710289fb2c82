"""The ceremony: from a manufactured device and some people to a world, its officers, and a device at work.

The device is spoken to through its own console, a command that this one is given: nothing here reaches into the device.
"""

import shlex
import subprocess
from collections.abc import Sequence
from pathlib import Path

import msgspec
from cryptography import x509

from strongroom.client.evidence import new_nonce
from strongroom.client.files import write_private
from strongroom.officer.cards import CardFace, CeremonyOutcome, OpenCard
from strongroom.officer.unseal import UnsealProgress, make_unseal_part
from strongroom.protocol.action_table import OFFICER_CLASSES
from strongroom.protocol.certificates import CertifiedKey, verify_statement
from strongroom.protocol.commands import StatusReply
from strongroom.protocol.encoding import read_json
from strongroom.protocol.errors import Refused
from strongroom.protocol.statements import CeremonyTranscript


class _Endorsed(msgspec.Struct, frozen=True):
    endorsement: str


class Console:
    """The device's console, as the command that runs it: `python -m hsm.console --socket PATH`."""

    def __init__(self, command: str) -> None:
        self._command = shlex.split(command)

    def status(self) -> StatusReply:
        return msgspec.json.decode(self._run("status"), type=StatusReply)

    def initialise(self, ceremony: Path, out: Path) -> None:
        self._run("initialise", "--ceremony", str(ceremony), "--out", str(out))

    def begin_unseal(self, nonce: str) -> str:
        return msgspec.json.decode(self._run("unseal-begin", f"--nonce={nonce}"), type=_Endorsed).endorsement

    def give_part(self, file: Path) -> UnsealProgress:
        return msgspec.json.decode(self._run("unseal-part", "--file", str(file)), type=UnsealProgress)

    def _run(self, *arguments: str) -> str:
        """What it prints. Raises `Refused("hsm-unreachable")` with its complaint."""
        try:
            done = subprocess.run(
                [*self._command, *arguments], capture_output=True, text=True, check=False, timeout=120
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            raise Refused("hsm-unreachable", f"the console cannot be run: {error}") from None
        if done.returncode:
            raise Refused("hsm-unreachable", f"the device says: {done.stderr.strip()[-300:]}")
        return done.stdout


def initialise(
    console: Console, faces: Sequence[CardFace], thresholds: dict[str, int], folder: Path
) -> CeremonyOutcome:
    """Hand the device its file, and return what it made. Asked again before the first unsealing, the same.

    `folder` keeps `ceremony.json` and `outcome.json`, whose parts nobody but their cards can open.
    """
    file, out = folder / "ceremony.json", folder / "outcome.json"
    if not file.exists():
        enrolments = [one.enrolment() for one in faces]
        write_private(file, msgspec.json.encode({"officers": enrolments, "thresholds": thresholds}))
    console.initialise(file, out)
    return read_json(out.read_bytes(), CeremonyOutcome)


def check_transcript(
    token: str, roots: list[x509.Certificate], now: int, faces: Sequence[CardFace] | None = None
) -> tuple[CeremonyTranscript, CertifiedKey]:
    """What the device signed that it made; with `faces`, exactly their cards must be enrolled.

    Raises `Refused`: `officer-unknown`, `wrong-device`, and what `verify_statement` does.
    """
    transcript, certified = verify_statement(token, CeremonyTranscript, roots, "device", now)
    if transcript.device != certified.device_id:
        raise Refused("wrong-device", "the transcript is of another device than the one that signed it")
    if faces is not None and transcript.officers != {one.fingerprint: one.officer_class for one in faces}:
        raise Refused("officer-unknown", "the device has enrolled other cards than those that are here")
    return transcript, certified


def give_part(
    console: Console, card: OpenCard, folder: Path, roots: list[x509.Certificate], now: int
) -> UnsealProgress:
    """Give one card's part at the console, sealed to a key that the device endorses over a fresh nonce."""
    nonce = new_nonce()
    part = make_unseal_part(card, console.begin_unseal(nonce), nonce, roots, now)
    file = folder / "part.json"
    write_private(file, msgspec.json.encode(part))
    try:
        return console.give_part(file)
    finally:
        file.unlink()


def losses(transcript: CeremonyTranscript) -> list[tuple[str, str]]:
    """For each class: how many cards can be lost, and what is lost with one more."""
    found = []
    for name in OFFICER_CLASSES:
        cards = list(transcript.officers.values()).count(name)
        spare = cards - transcript.thresholds[name]
        found.append((f"{transcript.thresholds[name]} of {cards} {name}", f"{spare} can be lost; {_LOST[name]}"))
    return found


_LOST = {
    "domain": "with one more, officers can never be changed again",
    "security": "with one more, all keys are gone for good when the device restarts, unless officers change before",
    "partition": "with one more, no partition is defined or destroyed until domain officers enrol new cards",
}
