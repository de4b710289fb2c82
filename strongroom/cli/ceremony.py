"""`ceremony`: initialisation and unsealing of a device, step by step, for the people in the room."""

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import typer
from cryptography import x509
from rich.text import Text

from strongroom.cli import prompts
from strongroom.cli.output import Json, aside, moment, next_step, pairs, plain, show, warn_of_mode
from strongroom.client.files import read_file, write_private
from strongroom.officer import ceremony, rehearsal
from strongroom.officer.cards import CardFace, new_card, open_card, read_card, receive, write_card
from strongroom.protocol.action_table import OFFICER_CLASSES, OfficerClass
from strongroom.protocol.errors import Refused
from strongroom.protocol.statements import CeremonyTranscript

app = typer.Typer(invoke_without_command=True, help="Initialise and unseal a device, step by step.")
NUMBER, THRESHOLD = 3, 2

Roots = Annotated[
    Path | None, typer.Option("--manufacturer-roots", exists=True, dir_okay=False, help="Got out of band.")
]


@dataclass
class _Room:
    """What is on the table: the device's console, whom to believe, and cards with their PINs while they are here."""

    console: ceremony.Console
    roots: list[x509.Certificate]
    folder: Path
    rehearsing: bool
    cards: list[Path] = field(default_factory=list)
    pins: dict[Path, str] = field(default_factory=dict)

    def pin(self, path: Path) -> str:
        """The card's PIN, typed once by its officer."""
        if path not in self.pins:
            self.pins[path] = prompts.secret(f"PIN of {read_card(path).face.name}")
        return self.pins[path]

    def faces(self) -> list[CardFace]:
        return [read_card(path).face for path in self.cards]


@app.callback()
def hold(
    context: typer.Context,
    *,
    console: Annotated[str, typer.Option(help="The command of the device's console.")] = "",
    folder: Annotated[Path, typer.Option(help="Where cards and papers of the ceremony are kept.")] = Path("ceremony"),
    card: Annotated[
        list[Path] | None, typer.Option(exists=True, dir_okay=False, help="A card made before; repeat.")
    ] = None,
    manufacturer_roots: Roots = None,
    rehearse: Annotated[bool, typer.Option("--rehearse", help="On a throw-away development device.")] = False,
) -> None:
    """Lead through the ceremony: cards, thresholds, the device's file, parts, unsealing, and the signed transcript.

    Interrupted before the first unsealing, it goes on where it was: run it again with the same folder.
    """
    if context.invoked_subcommand:
        return
    with _room(console, folder, manufacturer_roots, rehearsing=rehearse) as room:
        room.cards = list(card or sorted((room.folder / "cards").glob("*.card")))
        _hold(room)


@app.command("transcript")
def show_transcript(
    file: Annotated[Path, typer.Argument(exists=True, dir_okay=False)],
    manufacturer_roots: Roots = None,
    as_json: Json = False,
) -> None:
    """Verify a transcript against the manufacturer's roots, and print it."""
    roots = _roots(manufacturer_roots)
    found = ceremony.check_transcript(file.read_text().strip(), roots, prompts.now())[0]
    show(as_json, found, pairs(_rows(found, [])))


def _hold(room: _Room) -> None:
    # 1. Which device is this?
    _step(1, "The device")
    status = room.console.status()
    aside.print(pairs([("Device", status.device), ("State", status.state), ("Software", status.version)]))
    warn_of_mode(status.mode)
    if status.state in ("blank", "operational"):
        why = (
            "has no certificate yet: `csr` and `install` at its console" if status.state == "blank" else "works already"
        )
        raise Refused("hsm-wrong-state", f"the device {why}")
    begun = (room.folder / "ceremony.json").exists()
    if status.state == "sealed" and not begun:
        raise Refused("hsm-wrong-state", "its ceremony was held from another folder")
    # 2. Whose cards, and how many of them must agree?
    _step(2, "Cards and thresholds")
    thresholds = {} if begun else _make_cards(room)
    # 3. The device makes the world, and says so under its signature.
    _step(3, "The device makes its world")
    outcome = ceremony.initialise(room.console, room.faces(), thresholds, room.folder)
    transcript, _ = ceremony.check_transcript(outcome.transcript, room.roots, prompts.now(), room.faces())
    write_private(room.folder / "transcript.jws", outcome.transcript.encode())
    aside.print(f"World {transcript.world}: exactly the {len(room.cards)} cards that are here are enrolled.")
    # 4. Each card takes what was made for it.
    _step(4, "Each card takes its own")
    for path in room.cards:
        if not read_card(path).face.world:
            write_card(path, receive(read_card(path), room.pin(path), outcome, room.roots, prompts.now()))
            aside.print(plain(f"{read_card(path).face.name}: {path}"), soft_wrap=True)
    # 5. K security officers unseal it.
    _step(5, "Security officers unseal it")
    for path in [one for one in room.cards if read_card(one).face.officer_class == "security"]:
        opened = open_card(read_card(path), room.pin(path))
        progress = ceremony.give_part(room.console, opened, room.folder, room.roots, prompts.now())
        aside.print(f"{opened.face.name}: {progress.progress} of {progress.threshold}, {progress.state}")
        if progress.state == "operational":
            break
    # 6. What was made: for everyone present to keep.
    _step(6, "Transcript")
    aside.print(pairs(_rows(transcript, room.faces())), soft_wrap=True)
    if room.rehearsing:
        aside.print("This was a rehearsal: device, cards and transcript are gone now.")
        return
    aside.print(f"Signed by the device: {room.folder / 'transcript.jws'}. Each officer takes the own card away.")
    aside.print(next_step("strongroom ceremony transcript FILE --manufacturer-roots ROOTS, at home, by everyone"))


def _make_cards(room: _Room) -> dict[str, int]:
    """K of each class; and cards, unless they were brought."""
    brought = bool(room.cards)
    thresholds: dict[str, int] = {}
    folder = room.folder / "cards"
    folder.mkdir(mode=0o700, exist_ok=True)
    for officer_class in OFFICER_CLASSES:
        there = [one for one in room.faces() if one.officer_class == officer_class]
        number = len(there) if brought else _number(room, f"How many {officer_class} officers?", NUMBER)
        thresholds[officer_class] = _number(room, f"How many of the {number} must agree?", min(THRESHOLD, number))
        if not brought:
            room.cards += [_make_card(room, folder, officer_class, place) for place in range(1, number + 1)]
    return thresholds


def _make_card(room: _Room, folder: Path, officer_class: OfficerClass, place: int) -> Path:
    proposed = f"{officer_class}{place}"
    name = proposed if room.rehearsing else typer.prompt(f"Name of {officer_class} officer {place}", err=True)
    if not str(name).isprintable() or "/" in str(name):
        raise Refused("malformed", "a name is one line without slashes")
    pin = f"{secrets.randbelow(10**8):08}" if room.rehearsing else prompts.secret(f"{name}, a PIN for your card")
    path = folder / f"{name}.card"
    if path.exists():
        raise Refused("conflict", f"{path} is there already")
    write_card(path, new_card(str(name), officer_class, pin))
    room.pins[path] = pin
    return path


def _number(room: _Room, question: str, proposed: int) -> int:
    if room.rehearsing:
        aside.print(f"{question} {proposed}")
        return proposed
    return int(typer.prompt(question, default=proposed, type=int, err=True))


@contextmanager
def _room(console: str, folder: Path, roots: Path | None, *, rehearsing: bool) -> Iterator[_Room]:
    if rehearsing:
        with rehearsal.device() as (command, root, place):
            yield _Room(ceremony.Console(command), x509.load_pem_x509_certificates(root), place, rehearsing)
        return
    if not console:
        raise Refused("configuration", "--console names the command of the device's console, or use --rehearse")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    yield _Room(ceremony.Console(console), _roots(roots), folder, rehearsing)


def _roots(path: Path | None) -> list[x509.Certificate]:
    """Those of the file, else those of the configuration folder."""
    if path is None:
        return prompts.home().manufacturer_roots()
    try:
        return x509.load_pem_x509_certificates(read_file(path, "got from the manufacturer"))
    except ValueError:
        raise Refused("configuration", f"{path} holds no certificates in PEM") from None


def _step(number: int, title: str) -> None:
    aside.print(Text(f"\n{number}. {title}", style="bold"))


def _rows(transcript: CeremonyTranscript, faces: list[CardFace]) -> list[tuple[str, object]]:
    names = {one.fingerprint: one.name for one in faces}
    rows: list[tuple[str, object]] = [
        ("Device", transcript.device),
        ("Certified for", transcript.mode),
        ("World", transcript.world),
        ("Software", transcript.measurement),
        ("Made", moment(transcript.issued_at)),
    ]
    order: Callable[[tuple[str, str]], tuple[str, str]] = lambda one: (one[1], names.get(one[0], one[0]))  # noqa: E731
    for card, officer_class in sorted(transcript.officers.items(), key=order):
        rows.append((f"{officer_class} card", f"{card} {names.get(card, '')}".strip()))
    return rows + ceremony.losses(transcript)
