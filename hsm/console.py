"""`python -m hsm.console`: what the person at the device does: identity, certificate, ceremony, unsealing.

Files go in and out as JSON or PEM; nothing secret passes: parts are sealed to their cards, or to the device.
"""

import argparse
import json
import socket
import sys
from pathlib import Path
from typing import TypeVar

import msgspec

from strongroom.protocol import commands
from strongroom.protocol.action_table import OfficerEnrolment
from strongroom.protocol.encoding import b64u, from_b64u, read_json
from strongroom.protocol.errors import Refused
from strongroom.protocol.frames import pack, read_frame

T = TypeVar("T")


class Console:
    """A connection to the device's administrative lane as its console."""

    def __init__(self, path: str) -> None:
        self._sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._sock.settimeout(60)
        self._sock.connect(path)
        hello = msgspec.msgpack.encode(commands.Hello("admin", "console"))
        self._sock.sendall(pack(hello))
        commands.decode_reply(read_frame(self._sock.recv), type(None))

    def call(self, command: commands.Command, reply: type[T]) -> T:
        """Give one command. Raises `Refused` as the device does."""
        self._sock.sendall(pack(commands.encode_request(command)))
        return commands.decode_reply(read_frame(self._sock.recv), reply)


class UnsealPart(msgspec.Struct, forbid_unknown_fields=True):
    """A part as it comes in a file; `part` is base64url."""

    key_id: str
    card: str
    part: str


class Ceremony(msgspec.Struct, forbid_unknown_fields=True):
    """The ceremony's input file."""

    officers: list[OfficerEnrolment]
    thresholds: dict[str, int]


def run(console: Console, arguments: argparse.Namespace) -> str:
    """Carry out the console command. Returns what to print."""
    match arguments.command:
        case "status":
            return _json(console.call(commands.Status(), commands.StatusReply))
        case "csr":
            return console.call(commands.MakeIdentity(), commands.MakeIdentityReply).csr
        case "install":
            install = commands.InstallCertificate(
                certificate=arguments.certificate.read_text(), root=arguments.root.read_text()
            )
            return _json(console.call(install, commands.Done))
        case "initialise":
            ceremony = read_json(arguments.ceremony.read_bytes(), Ceremony)
            reply = console.call(
                commands.Initialise(officers=ceremony.officers, thresholds=ceremony.thresholds),
                commands.InitialiseReply,
            )
            parts = {card: b64u(part) for card, part in reply.parts.items()}
            made = json.dumps({"world": reply.world, "parts": parts, "transcript": reply.transcript}, indent=2)
            arguments.out.write_text(made)
            return json.dumps({"world": reply.world})
        case "unseal-begin":
            return _json(console.call(commands.BeginUnseal(nonce=arguments.nonce), commands.BeginUnsealReply))
        case _:
            part = read_json(arguments.file.read_bytes(), UnsealPart)
            give = commands.GiveUnsealPart(key_id=part.key_id, card=part.card, part=from_b64u(part.part))
            return _json(console.call(give, commands.GiveUnsealPartReply))


def _json(value: object) -> str:
    return msgspec.json.encode(value).decode()


def main() -> int:
    parser = argparse.ArgumentParser(prog="hsm.console", description=__doc__)
    parser.add_argument("--socket", required=True)
    sub = parser.add_subparsers(dest="command", required=True)
    sub.add_parser("status")
    sub.add_parser("csr")
    install = sub.add_parser("install")
    install.add_argument("--certificate", type=Path, required=True)
    install.add_argument("--root", type=Path, required=True)
    initialise = sub.add_parser("initialise")
    initialise.add_argument("--ceremony", type=Path, required=True)
    initialise.add_argument("--out", type=Path, required=True)
    sub.add_parser("unseal-begin").add_argument("--nonce", required=True)
    sub.add_parser("unseal-part").add_argument("--file", type=Path, required=True)
    arguments = parser.parse_args()
    try:
        print(run(Console(arguments.socket), arguments))
    except Refused as error:
        print(f"{error.code}: {error.detail or error.problem.sentence}", file=sys.stderr)
        return 1
    except (OSError, EOFError) as error:
        print(f"hsm-unreachable: {error}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
