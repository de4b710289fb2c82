"""`sign`, `verify`, `encrypt`, `decrypt`, `hash`, `translate`, `derive`: files in, files out; and `--batch`."""

from pathlib import Path
from typing import Annotated

import typer

from strongroom.cli.asking import (
    Aad,
    Ask,
    BatchIn,
    Chosen,
    Digest,
    Format,
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
from strongroom.client.material import public_key_der
from strongroom.protocol.encoding import b64u
from strongroom.protocol.errors import Refused
from strongroom.protocol.mechanisms import Mechanism, Usage

app = typer.Typer()


@app.command()
def sign(
    *,
    key: Key,
    source: In = None,
    batch: BatchIn = None,
    target: Out,
    digest: Digest = False,
    form: Format = None,
    version: Version = 0,
    mechanism: Chosen = None,
    token_mode: TokenMode = False,
    sealed: Sealed = False,
    as_json: Json = False,
) -> None:
    """Sign a file. The signature is checked against the receipt's public key before it is written.

    With --batch and --digest the payloads are digests.
    """
    ask = Ask(Usage.SIGN, key, version, mechanism, token_mode, sealed)
    if batch:
        return ask.batch(as_json, (source, batch, target), prehashed=digest, format=form or "")
    payload, prehashed = ask.message(one_file(source), digest)
    outcome = ask(payload, prehashed=prehashed, format=form or "")
    return write(as_json, outcome, target)


@app.command()
def verify(
    *,
    key: Key,
    source: In = None,
    batch: BatchIn = None,
    target: Annotated[Path | None, typer.Option("--out", dir_okay=False, help="For --batch.")] = None,
    signature: Annotated[Path | None, typer.Option(exists=True, dir_okay=False)] = None,
    digest: Digest = False,
    form: Format = None,
    version: Version = 0,
    mechanism: Chosen = None,
    token_mode: TokenMode = False,
    sealed: Sealed = False,
    as_json: Json = False,
) -> None:
    """Ask the device whether a signature holds. Exit status 1 where it does not."""
    ask = Ask(Usage.VERIFY, key, version, mechanism, token_mode, sealed)
    if batch:
        return ask.batch(as_json, (source, batch, target), prehashed=digest, format=form or "")
    if signature is None:
        raise Refused("configuration", "--signature is needed")
    payload, prehashed = ask.message(one_file(source), digest)
    outcome = ask(payload, prehashed=prehashed, format=form or "", signature=b64u(signature.read_bytes()))
    valid = outcome.valid is True
    show(as_json, described(outcome) | {"valid": valid}, "The signature holds." if valid else "It does NOT hold.")
    if not valid:
        raise typer.Exit(1)
    return None


@app.command()
def encrypt(
    *,
    key: Key,
    source: In = None,
    batch: BatchIn = None,
    target: Out,
    aad: Aad = None,
    version: Version = 0,
    mechanism: Chosen = None,
    token_mode: TokenMode = False,
    sealed: Sealed = False,
    as_json: Json = False,
) -> None:
    """Encrypt a file of at most 1 MiB."""
    ask = Ask(Usage.ENCRYPT, key, version, mechanism, token_mode, sealed)
    if batch:
        return ask.batch(as_json, (source, batch, target), aad=encoded(aad))
    return write(as_json, ask(payload_of(one_file(source)), aad=encoded(aad)), target)


@app.command()
def decrypt(
    *,
    key: Key,
    source: In = None,
    batch: BatchIn = None,
    target: Out,
    aad: Aad = None,
    version: Version = 0,
    mechanism: Chosen = None,
    token_mode: TokenMode = False,
    sealed: Sealed = False,
    as_json: Json = False,
) -> None:
    """Decrypt a file; the result is readable by you alone."""
    ask = Ask(Usage.DECRYPT, key, version, mechanism, token_mode, sealed)
    if batch:
        return ask.batch(as_json, (source, batch, target), aad=encoded(aad))
    return write(as_json, ask(payload_of(one_file(source)), aad=encoded(aad)), target)


@app.command("hash")
def hash_command(
    *,
    key: Key,
    source: In = None,
    batch: BatchIn = None,
    target: Out,
    version: Version = 0,
    mechanism: Chosen = None,
    token_mode: TokenMode = False,
    sealed: Sealed = False,
    as_json: Json = False,
) -> None:
    """Hash a file with the key (HMAC), or under its authority (SHA-256)."""
    ask = Ask(Usage.HASH, key, version, mechanism, token_mode, sealed)
    if batch:
        return ask.batch(as_json, (source, batch, target))
    return write(as_json, ask(payload_of(one_file(source))), target)


@app.command()
def translate(
    *,
    key: Key,
    source: In = None,
    batch: BatchIn = None,
    target: Out,
    to: Annotated[str, typer.Option(help="Name or id of the key to encrypt to.")],
    aad: Aad = None,
    target_aad: TargetAad = None,
    version: Version = 0,
    mechanism: Chosen = None,
    target_mechanism: Annotated[Mechanism | None, typer.Option()] = None,
    token_mode: TokenMode = False,
    sealed: Sealed = False,
    as_json: Json = False,
) -> None:
    """Decrypt by one key and encrypt to another, inside the device."""
    ask = Ask(Usage.TRANSLATE, key, version, mechanism, token_mode, sealed)
    parameters = {
        "target": to,
        "target_mechanism": target_mechanism or "",
        "aad": encoded(aad),
        "target_aad": encoded(target_aad),
    }
    if batch:
        return ask.batch(as_json, (source, batch, target), **parameters)
    return write(as_json, ask(payload_of(one_file(source)), **parameters), target)


@app.command()
def derive(
    *,
    key: Key,
    peer: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="The other side's public key.")],
    info: Annotated[str, typer.Option(help="What the derived key is for; both sides must say the same.")],
    target: Out,
    salt: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="File with HKDF's salt.")] = None,
    length: Annotated[int, typer.Option(help="How many bytes, 16 to 8160.")] = 32,
    version: Version = 0,
    mechanism: Chosen = None,
    token_mode: TokenMode = False,
    sealed: Sealed = False,
    as_json: Json = False,
) -> None:
    """Agree on bytes with the holder of another key (ECDH, then HKDF); readable by you alone."""
    public = public_key_der(peer.read_bytes())
    parameters = {"aad": b64u(info.encode()), "salt": encoded(salt), "length": length}
    outcome = Ask(Usage.DERIVE, key, version, mechanism, token_mode, sealed)(public, **parameters)
    write(as_json, outcome, target)
