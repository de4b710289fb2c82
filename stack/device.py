"""From a blank device to one that works: certified by its manufacturer, initialised in a ceremony, unsealed by cards.

Each step looks first whether it was done. The ceremony's file is written once and the device answers the same file
with the same parts until it is unsealed for the first time, so a crash between any two steps loses nothing.
"""

import json
import subprocess
import sys
import time
from pathlib import Path

import msgspec
from cryptography import x509

from stack.layout import PROJECT, PROVIDER, StackError, State, write_private
from stack.narration import chapter, done
from stack.people import OfficerPerson, People, make_people
from strongroom.client.evidence import new_nonce
from strongroom.officer.cards import CeremonyOutcome, new_card, open_card, read_card, receive, write_card
from strongroom.officer.unseal import make_unseal_part
from strongroom.protocol.action_table import OFFICER_CLASSES
from strongroom.protocol.commands import StatusReply

THRESHOLD = 2


def device(state: State) -> None:
    """Bring the device to `operational`, whatever was done before."""
    people = make_people(state)
    now = _status(state)
    if now.state == "operational":
        return
    chapter("The device")
    # 1. It makes its identity, and the manufacturer certifies it: for development, which the certificate says.
    if now.state == "blank":
        _certify(state)
    # 2. Nine officers get their cards.
    _make_cards(state, people)
    # 3. The ceremony: officers are enrolled, world and keys are made, the unseal secret is split.
    if _missing_outcome(state, people):
        _hold_ceremony(state, people)
    # 4. Two security officers unseal it.
    _unseal(state, people)


def console(state: State, *arguments: str | Path) -> str:
    """What the device's console prints. Raises `StackError` with its complaint."""
    command = [sys.executable, "-m", "hsm.console", "--socket", state.hsm_socket, *arguments]
    answer = subprocess.run(command, capture_output=True, check=False, cwd=PROJECT, text=True)
    if answer.returncode:
        raise StackError(f"The device refuses `{arguments[0]}`: {answer.stderr.strip()}")
    return answer.stdout


def manufacturer_roots(state: State) -> bytes:
    return (state.root / "manufacturer" / "public" / "root.pem").read_bytes()


def _status(state: State) -> StatusReply:
    return msgspec.json.decode(console(state, "status"), type=StatusReply)


def _certify(state: State) -> None:
    request, given = state.folder("device") / "request.pem", state.folder("device")
    request.write_text(console(state, "csr"))
    certify = ["certify", "--store", str(state.root / "manufacturer"), "--csr", str(request), "--mode", "development"]
    command = [sys.executable, "-m", "manufacturer", *certify, "--provider", PROVIDER, "--out", str(given)]
    name = subprocess.run(command, stdout=subprocess.PIPE, check=True, cwd=PROJECT, text=True).stdout.strip()
    console(state, "install", "--certificate", given / "certificate.pem", "--root", given / "root.pem")
    done(f"device [bold]{name}[/] made its identity key; the manufacturer certified it for [red]development[/]")


def _make_cards(state: State, people: People) -> None:
    missing = [one for one in people.officers if not state.card(one.username).exists()]
    for one in missing:
        write_private(state.pin(one.username), one.pin.encode())
        write_card(state.card(one.username), new_card(one.username, one.officer_class, one.pin))
    if missing:
        done(f"{len(missing)} card files made, each under a PIN: 3 domain, 3 security, 3 partition officers")


def _missing_outcome(state: State, people: People) -> list[OfficerPerson]:
    """The officers whose cards have not received what the ceremony made for them."""
    return [one for one in people.officers if not read_card(state.card(one.username)).face.world]


def _hold_ceremony(state: State, people: People) -> None:
    file, out = state.folder("device") / "ceremony.json", state.folder("device") / "outcome.json"
    # 1. The same file, however often this is tried.
    if not file.exists():
        enrolments = [read_card(state.card(one.username)).face.enrolment() for one in people.officers]
        thresholds = dict.fromkeys(OFFICER_CLASSES, THRESHOLD)
        write_private(file, msgspec.json.encode({"officers": enrolments, "thresholds": thresholds}))
    console(state, "initialise", "--ceremony", file, "--out", out)
    # 2. Each card takes what was made for it: the sealed parts are of no use to anyone else.
    outcome = msgspec.json.decode(out.read_bytes(), type=CeremonyOutcome)
    roots = x509.load_pem_x509_certificates(manufacturer_roots(state))
    for one in _missing_outcome(state, people):
        card = state.card(one.username)
        write_card(card, receive(read_card(card), one.pin, outcome, roots, int(time.time())))
    done(f"ceremony held: world [bold]{outcome.world}[/], {THRESHOLD} of 3 officers in each class")
    # 3. Every card has it now.
    out.unlink()


def _unseal(state: State, people: People) -> None:
    roots = x509.load_pem_x509_certificates(manufacturer_roots(state))
    for one in people.officers_of("security")[:THRESHOLD]:
        nonce = new_nonce()
        endorsement = json.loads(console(state, "unseal-begin", f"--nonce={nonce}"))["endorsement"]
        card = open_card(read_card(state.card(one.username)), one.pin)
        part = state.folder("device") / "part.json"
        write_private(part, msgspec.json.encode(make_unseal_part(card, endorsement, nonce, roots, int(time.time()))))
        progress = json.loads(console(state, "unseal-part", "--file", part))
        part.unlink()
        given = f"{progress['progress']} of {progress['threshold']}"
        done(f"{one.username} gave an unseal part ({given}): the device is [bold]{progress['state']}[/]")
