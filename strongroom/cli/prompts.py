"""How the command gets what only a person should know: never from its arguments or the environment."""

import getpass
import sys
import time
from pathlib import Path
from typing import Annotated

import typer

from strongroom.client.connection import Connection, Who, connect
from strongroom.client.home import Home
from strongroom.protocol.errors import Refused

PinFile = Annotated[Path | None, typer.Option("--pin-file", help="File with the card's PIN.", exists=True)]
PasswordFile = Annotated[Path | None, typer.Option("--password-file", help="File with the password.", exists=True)]
Protect = Annotated[bool, typer.Option("--passphrase", help="Ask for a passphrase to keep the key under.")]


def secret(label: str, file: Path | None = None) -> str:
    """A secret from `file`, from the terminal without echo, or else the next line of standard input.

    Raises `Refused("secret-missing")` where there is none.
    """
    if file is not None:
        text = file.read_text().strip()
    elif sys.stdin.isatty():
        text = getpass.getpass(f"{label}: ")
    else:
        text = sys.stdin.readline().rstrip("\r\n")
    if not text:
        raise Refused("secret-missing", label)
    return text


def new_passphrase(wanted: bool) -> bytes:
    """A fresh passphrase, asked for twice at a terminal; empty where none is wanted."""
    if not wanted:
        return b""
    first = secret("New passphrase")
    if sys.stdin.isatty() and secret("Again") != first:
        raise Refused("configuration", "the passphrases differ")
    return first.encode()


def home() -> Home:
    """The folder that STRONGROOM_HOME names, or ~/.strongroom."""
    return Home(Home.default_path(), lambda name: secret(f"Passphrase of {name}").encode())


def connected(who: Who = "client") -> Connection:
    return connect(home(), who)


def now() -> int:
    return int(time.time())
