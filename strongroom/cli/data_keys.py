"""`datakey`, `wrap-key`, `unwrap-key`, `rewrap`, `random`: what the device makes, and what it takes from old to new."""

from pathlib import Path
from typing import Annotated, Any

import typer

from strongroom.cli.asking import (
    Aad,
    Ask,
    BatchIn,
    Chosen,
    In,
    Key,
    Out,
    Sealed,
    TargetAad,
    TokenMode,
    Version,
    described,
    encoded,
    one_file,
    payload_of,
    write,
)
from strongroom.cli.output import Json, show
from strongroom.cli.prompts import connected
from strongroom.client.files import write_private
from strongroom.client.randomness import random_bytes
from strongroom.protocol.mechanisms import Mechanism, Usage

app = typer.Typer()


@app.command()
def datakey(
    *,
    key: Key,
    target: Out,
    length: Annotated[int, typer.Option(help="Bytes of the data key, 16 to 64.")] = 32,
    clear: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Where the data key itself goes; takes the right to unwrap too.")
    ] = None,
    version: Version = 0,
    token_mode: TokenMode = False,
    sealed: Sealed = False,
    as_json: Json = False,
) -> None:
    """Have the device make a data key and wrap it; with --clear it comes in clear too, readable by you alone."""
    ask = Ask(Usage.WRAP, key, version, None, token_mode, sealed)
    outcome = ask(b"", generate=length, clear=clear is not None)
    if clear is None:
        return write(as_json, outcome, target)
    write_private(clear, outcome.clear)
    write_private(target, outcome.result)
    files = {"out": str(target), "clear": str(clear)}
    text = f"{len(outcome.clear)} bytes written to {clear}, wrapped to {target}"
    return show(as_json, described(outcome) | files, text)


@app.command("wrap-key")
def wrap_key(
    *,
    key: Key,
    source: In = None,
    batch: BatchIn = None,
    target: Out,
    version: Version = 0,
    token_mode: TokenMode = False,
    sealed: Sealed = False,
    as_json: Json = False,
) -> None:
    """Wrap a data key of your own (AES key wrap with padding, RFC 5649)."""
    return _wrapping(as_json, Ask(Usage.WRAP, key, version, None, token_mode, sealed), (source, batch, target))


@app.command("unwrap-key")
def unwrap_key(
    *,
    key: Key,
    source: In = None,
    batch: BatchIn = None,
    target: Out,
    version: Version = 0,
    token_mode: TokenMode = False,
    sealed: Sealed = False,
    as_json: Json = False,
) -> None:
    """Unwrap a data key; it is readable by you alone."""
    return _wrapping(as_json, Ask(Usage.UNWRAP, key, version, None, token_mode, sealed), (source, batch, target))


@app.command()
def rewrap(
    *,
    key: Key,
    from_version: Annotated[int, typer.Option("--from-version", help="The version that encrypted it.", min=1)],
    source: In = None,
    batch: BatchIn = None,
    target: Out,
    aad: Aad = None,
    target_aad: TargetAad = None,
    mechanism: Chosen = None,
    target_mechanism: Annotated[Mechanism | None, typer.Option(help="Else as before.")] = None,
    token_mode: TokenMode = False,
    sealed: Sealed = False,
    as_json: Json = False,
) -> None:
    """Bring a ciphertext from an older version of a key to its newest, inside the device. The aad stays the same."""
    ask = Ask(Usage.REWRAP, key, from_version, mechanism, token_mode, sealed)
    parameters = {
        "aad": encoded(aad),
        "target_aad": encoded(target_aad),
        "target_mechanism": target_mechanism or "",
    }
    if batch:
        return ask.batch(as_json, (source, batch, target), **parameters)
    outcome = ask(payload_of(one_file(source)), **parameters)
    write_private(target, outcome.result)
    data: dict[str, Any] = described(outcome) | {"target_version": outcome.target_version, "out": str(target)}
    return show(as_json, data, f"From version {outcome.version} to {outcome.target_version}: written to {target}")


@app.command()
def random(
    *,
    length: Annotated[int, typer.Option("--bytes", help="How many, 1 to 65536.")] = 32,
    target: Annotated[
        Path | None, typer.Option("--out", dir_okay=False, help="Else hexadecimal on the screen.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Random bytes made in the device. The provider sees them pass: do not make keys of them."""
    with connected() as connection:
        found = random_bytes(connection, length)
    if target is None:
        return show(as_json, {"bytes": found}, found.hex())
    write_private(target, found)
    return show(as_json, {"out": str(target)}, f"{length} bytes written to {target}")


def _wrapping(as_json: bool, ask: Ask, files: tuple[Path | None, Path | None, Path]) -> None:
    source, batch, target = files
    if batch:
        return ask.batch(as_json, (source, batch, target))
    return write(as_json, ask(payload_of(one_file(source))), target)
