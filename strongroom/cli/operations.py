"""`sign`, `verify`, `encrypt`, `decrypt`, `hash`, `translate`, `derive`: files in, files out; and `--batch`."""

from pathlib import Path
from typing import Annotated

import typer

from strongroom.cli import asking as o
from strongroom.cli.output import Json, show
from strongroom.client.material import public_key_der
from strongroom.protocol.encoding import b64u
from strongroom.protocol.errors import Refused
from strongroom.protocol.mechanisms import Mechanism, Usage

app = typer.Typer()


@app.command()
def sign(
    *,
    key: o.Key,
    source: o.In = None,
    batch: o.BatchIn = None,
    target: o.Out,
    digest: o.Digest = False,
    form: o.Format = None,
    version: o.Version = 0,
    mechanism: o.Chosen = None,
    token_mode: o.TokenMode = False,
    sealed: o.Sealed = False,
    as_json: Json = False,
) -> None:
    """Sign a file. The signature is checked against the receipt's public key before it is written.

    With --batch and --digest the payloads are digests.
    """
    ask = o.Ask(Usage.SIGN, key, version, mechanism, token_mode, sealed)
    if batch:
        return ask.batch(as_json, (source, batch, target), prehashed=digest, format=form or "")
    payload, prehashed = ask.message(o.one_file(source), digest)
    outcome = ask(payload, prehashed=prehashed, format=form or "")
    return o.write(as_json, outcome, target)


@app.command()
def verify(
    *,
    key: o.Key,
    source: o.In = None,
    batch: o.BatchIn = None,
    target: Annotated[Path | None, typer.Option("--out", dir_okay=False, help="For --batch.")] = None,
    signature: Annotated[Path | None, typer.Option(exists=True, dir_okay=False)] = None,
    digest: o.Digest = False,
    form: o.Format = None,
    version: o.Version = 0,
    mechanism: o.Chosen = None,
    token_mode: o.TokenMode = False,
    sealed: o.Sealed = False,
    as_json: Json = False,
) -> None:
    """Ask the device whether a signature holds. Exit status 1 where it does not."""
    ask = o.Ask(Usage.VERIFY, key, version, mechanism, token_mode, sealed)
    if batch:
        return ask.batch(as_json, (source, batch, target), prehashed=digest, format=form or "")
    if signature is None:
        raise Refused("configuration", "--signature is needed")
    payload, prehashed = ask.message(o.one_file(source), digest)
    outcome = ask(payload, prehashed=prehashed, format=form or "", signature=b64u(signature.read_bytes()))
    valid = outcome.valid is True
    show(as_json, o.described(outcome) | {"valid": valid}, "The signature holds." if valid else "It does NOT hold.")
    if not valid:
        raise typer.Exit(1)
    return None


@app.command()
def encrypt(
    *,
    key: o.Key,
    source: o.In = None,
    batch: o.BatchIn = None,
    target: o.Out,
    aad: o.Aad = None,
    version: o.Version = 0,
    mechanism: o.Chosen = None,
    token_mode: o.TokenMode = False,
    sealed: o.Sealed = False,
    as_json: Json = False,
) -> None:
    """Encrypt a file of at most 1 MiB."""
    ask = o.Ask(Usage.ENCRYPT, key, version, mechanism, token_mode, sealed)
    if batch:
        return ask.batch(as_json, (source, batch, target), aad=o.encoded(aad))
    return o.write(as_json, ask(o.payload_of(o.one_file(source)), aad=o.encoded(aad)), target)


@app.command()
def decrypt(
    *,
    key: o.Key,
    source: o.In = None,
    batch: o.BatchIn = None,
    target: o.Out,
    aad: o.Aad = None,
    version: o.Version = 0,
    mechanism: o.Chosen = None,
    token_mode: o.TokenMode = False,
    sealed: o.Sealed = False,
    as_json: Json = False,
) -> None:
    """Decrypt a file; the result is readable by you alone."""
    ask = o.Ask(Usage.DECRYPT, key, version, mechanism, token_mode, sealed)
    if batch:
        return ask.batch(as_json, (source, batch, target), aad=o.encoded(aad))
    return o.write(as_json, ask(o.payload_of(o.one_file(source)), aad=o.encoded(aad)), target)


@app.command("hash")
def hash_command(
    *,
    key: o.Key,
    source: o.In = None,
    batch: o.BatchIn = None,
    target: o.Out,
    version: o.Version = 0,
    mechanism: o.Chosen = None,
    token_mode: o.TokenMode = False,
    sealed: o.Sealed = False,
    as_json: Json = False,
) -> None:
    """Hash a file with the key (HMAC), or under its authority (SHA-256)."""
    ask = o.Ask(Usage.HASH, key, version, mechanism, token_mode, sealed)
    if batch:
        return ask.batch(as_json, (source, batch, target))
    return o.write(as_json, ask(o.payload_of(o.one_file(source))), target)


@app.command()
def translate(
    *,
    key: o.Key,
    source: o.In = None,
    batch: o.BatchIn = None,
    target: o.Out,
    to: Annotated[str, typer.Option(help="Name or id of the key to encrypt to.")],
    aad: o.Aad = None,
    target_aad: o.TargetAad = None,
    version: o.Version = 0,
    mechanism: o.Chosen = None,
    target_mechanism: Annotated[Mechanism | None, typer.Option()] = None,
    token_mode: o.TokenMode = False,
    sealed: o.Sealed = False,
    as_json: Json = False,
) -> None:
    """Decrypt by one key and encrypt to another, inside the device."""
    ask = o.Ask(Usage.TRANSLATE, key, version, mechanism, token_mode, sealed)
    parameters = {
        "target": to,
        "target_mechanism": target_mechanism or "",
        "aad": o.encoded(aad),
        "target_aad": o.encoded(target_aad),
    }
    if batch:
        return ask.batch(as_json, (source, batch, target), **parameters)
    return o.write(as_json, ask(o.payload_of(o.one_file(source)), **parameters), target)


@app.command()
def derive(
    *,
    key: o.Key,
    peer: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="The other side's public key.")],
    info: Annotated[str, typer.Option(help="What the derived key is for; both sides must say the same.")],
    target: o.Out,
    salt: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="File with HKDF's salt.")] = None,
    length: Annotated[int, typer.Option(help="How many bytes, 16 to 8160.")] = 32,
    version: o.Version = 0,
    mechanism: o.Chosen = None,
    token_mode: o.TokenMode = False,
    sealed: o.Sealed = False,
    as_json: Json = False,
) -> None:
    """Agree on bytes with the holder of another key (ECDH, then HKDF); readable by you alone."""
    public = public_key_der(peer.read_bytes())
    parameters = {"aad": b64u(info.encode()), "salt": o.encoded(salt), "length": length}
    outcome = o.Ask(Usage.DERIVE, key, version, mechanism, token_mode, sealed)(public, **parameters)
    o.write(as_json, outcome, target)
