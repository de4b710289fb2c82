"""`datakey`, `wrap-key`, `unwrap-key`, `rewrap`, `random`: what the device makes, and what it takes from old to new."""

import base64
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from strongroom.cli import asking as o
from strongroom.cli.output import Json, show
from strongroom.cli.prompts import connected
from strongroom.client.files import write_private
from strongroom.client.randomness import random_bytes
from strongroom.protocol.errors import Refused
from strongroom.protocol.instructions import MAX_ITEMS, Item
from strongroom.protocol.mechanisms import Mechanism, Usage

app = typer.Typer()


@app.command()
def datakey(
    *,
    key: o.Key,
    target: o.Out,
    length: Annotated[int, typer.Option(help="Bytes of the data key, 16 to 64.")] = 32,
    clear: Annotated[
        Path | None, typer.Option(dir_okay=False, help="Where the data key itself goes; takes the right to unwrap too.")
    ] = None,
    count: Annotated[
        int | None,
        typer.Option(help="Make so many: the files then hold one on each line, in base64.", min=1, max=MAX_ITEMS),
    ] = None,
    version: o.Version = 0,
    token_mode: o.TokenMode = False,
    sealed: o.Sealed = False,
    as_json: Json = False,
) -> None:
    """Have the device make a data key and wrap it; with --clear it comes in clear too, readable by you alone."""
    ask = o.Ask(Usage.WRAP, key, version, None, token_mode, sealed)
    if count is not None:
        return _many(as_json, ask, (count, length), target, clear)
    outcome = ask(b"", generate=length, clear=clear is not None)
    if clear is None:
        return o.write(as_json, outcome, target)
    write_private(clear, outcome.clear)
    write_private(target, outcome.result)
    files = {"out": str(target), "clear": str(clear)}
    text = f"{len(outcome.clear)} bytes written to {clear}, wrapped to {target}"
    return show(as_json, o.described(outcome) | files, text)


@app.command("wrap-key")
def wrap_key(
    *,
    key: o.Key,
    source: o.In = None,
    batch: o.BatchIn = None,
    target: o.Out,
    version: o.Version = 0,
    token_mode: o.TokenMode = False,
    sealed: o.Sealed = False,
    as_json: Json = False,
) -> None:
    """Wrap a data key of your own (AES key wrap with padding, RFC 5649)."""
    return _wrapping(as_json, o.Ask(Usage.WRAP, key, version, None, token_mode, sealed), (source, batch, target))


@app.command("unwrap-key")
def unwrap_key(
    *,
    key: o.Key,
    source: o.In = None,
    batch: o.BatchIn = None,
    target: o.Out,
    version: o.Version = 0,
    token_mode: o.TokenMode = False,
    sealed: o.Sealed = False,
    as_json: Json = False,
) -> None:
    """Unwrap a data key; it is readable by you alone."""
    return _wrapping(as_json, o.Ask(Usage.UNWRAP, key, version, None, token_mode, sealed), (source, batch, target))


@app.command()
def rewrap(
    *,
    key: o.Key,
    from_version: Annotated[int, typer.Option("--from-version", help="The version that encrypted it.", min=1)],
    source: o.In = None,
    batch: o.BatchIn = None,
    target: o.Out,
    aad: o.Aad = None,
    target_aad: o.TargetAad = None,
    mechanism: o.Chosen = None,
    target_mechanism: Annotated[Mechanism | None, typer.Option(help="Else as before.")] = None,
    token_mode: o.TokenMode = False,
    sealed: o.Sealed = False,
    as_json: Json = False,
) -> None:
    """Bring a ciphertext from an older version of a key to its newest, inside the device. The aad stays the same."""
    ask = o.Ask(Usage.REWRAP, key, from_version, mechanism, token_mode, sealed)
    parameters = {
        "aad": o.encoded(aad),
        "target_aad": o.encoded(target_aad),
        "target_mechanism": target_mechanism or "",
    }
    if batch:
        return ask.batch(as_json, (source, batch, target), **parameters)
    outcome = ask(o.payload_of(o.one_file(source)), **parameters)
    write_private(target, outcome.result)
    data: dict[str, Any] = o.described(outcome) | {"target_version": outcome.target_version, "out": str(target)}
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


def _many(as_json: bool, ask: o.Ask, made: tuple[int, int], target: Path, clear: Path | None) -> None:
    """`made`: how many, of how many bytes. Nothing is written where one of them is refused."""
    count, length = made
    outcome = ask.each([Item(b"")] * count, generate=length, clear=clear is not None)
    for one in outcome.results:
        if one.error is not None:
            raise Refused(one.error.code, one.error.detail)
    if clear is not None:
        write_private(clear, _lines(one.clear or b"" for one in outcome.results))
    write_private(target, _lines(one.result or b"" for one in outcome.results))
    files = {"out": str(target), "clear": str(clear) if clear else None}
    text = f"{count} data keys of {length} bytes, wrapped: {target}" + (f"; in clear: {clear}" if clear else "")
    show(as_json, o.described(outcome) | files | {"count": count}, text)


def _lines(parts: Iterable[bytes]) -> bytes:
    return b"".join(base64.b64encode(one) + b"\n" for one in parts)


def _wrapping(as_json: bool, ask: o.Ask, files: tuple[Path | None, Path | None, Path]) -> None:
    source, batch, target = files
    if batch:
        return ask.batch(as_json, (source, batch, target))
    return o.write(as_json, ask(o.payload_of(o.one_file(source))), target)
