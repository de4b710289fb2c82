"""`sign`, `verify`, `encrypt`, `decrypt`, `hash`, `translate`: files in, files out."""

from pathlib import Path
from typing import Annotated, Any

import typer

from strongroom.cli import prompts
from strongroom.cli.output import Json, show
from strongroom.cli.prompts import connected
from strongroom.client.files import write_private
from strongroom.client.operations import Outcome, file_digest, operate
from strongroom.protocol.encoding import b64u
from strongroom.protocol.errors import Refused
from strongroom.protocol.instructions import MAX_PAYLOAD, Parameters
from strongroom.protocol.mechanisms import Mechanism, Usage

app = typer.Typer()

Key = Annotated[str, typer.Option(help="Name or id of the key.")]
In = Annotated[Path, typer.Option("--in", exists=True, dir_okay=False)]
Out = Annotated[Path, typer.Option("--out", dir_okay=False)]
Chosen = Annotated[Mechanism | None, typer.Option("--mechanism", help="Else the key type's usual one.")]
TokenMode = Annotated[
    bool, typer.Option("--token-mode", help="Let the API token alone authorise it, where the key's terms permit.")
]
Digest = Annotated[bool, typer.Option("--digest", help="Send only the file's SHA-256; so above 1 MiB in any case.")]
Aad = Annotated[Path | None, typer.Option("--aad", exists=True, help="File with additional authenticated data.")]
TargetAad = Annotated[
    Path | None, typer.Option("--target-aad", exists=True, help="The same, for the key to encrypt to.")
]


@app.command()
def sign(
    *,
    key: Key,
    source: In,
    target: Out,
    digest: Digest = False,
    mechanism: Chosen = None,
    token_mode: TokenMode = False,
    as_json: Json = False,
) -> None:
    """Sign a file. The signature is checked against the receipt's public key before it is written."""
    payload, prehashed = _message(source, digest)
    outcome = _operate(Usage.SIGN, key, payload, mechanism, token_mode, prehashed=prehashed)
    _write(as_json, outcome, target)


@app.command()
def verify(
    *,
    key: Key,
    source: In,
    signature: Annotated[Path, typer.Option(exists=True, dir_okay=False)],
    digest: Digest = False,
    mechanism: Chosen = None,
    token_mode: TokenMode = False,
    as_json: Json = False,
) -> None:
    """Ask the device whether a signature holds. Exit status 1 where it does not."""
    payload, prehashed = _message(source, digest)
    signed = b64u(signature.read_bytes())
    outcome = _operate(Usage.VERIFY, key, payload, mechanism, token_mode, prehashed=prehashed, signature=signed)
    valid = outcome.valid is True
    show(as_json, _described(outcome) | {"valid": valid}, "The signature holds." if valid else "It does NOT hold.")
    if not valid:
        raise typer.Exit(1)


@app.command()
def encrypt(
    *,
    key: Key,
    source: In,
    target: Out,
    aad: Aad = None,
    mechanism: Chosen = None,
    token_mode: TokenMode = False,
    as_json: Json = False,
) -> None:
    """Encrypt a file of at most 1 MiB."""
    outcome = _operate(Usage.ENCRYPT, key, _payload(source), mechanism, token_mode, aad=_encoded(aad))
    _write(as_json, outcome, target)


@app.command()
def decrypt(
    *,
    key: Key,
    source: In,
    target: Out,
    aad: Aad = None,
    mechanism: Chosen = None,
    token_mode: TokenMode = False,
    as_json: Json = False,
) -> None:
    """Decrypt a file; the result is readable by you alone."""
    outcome = _operate(Usage.DECRYPT, key, _payload(source), mechanism, token_mode, aad=_encoded(aad))
    _write(as_json, outcome, target)


@app.command("hash")
def hash_command(
    *,
    key: Key,
    source: In,
    target: Out,
    mechanism: Chosen = None,
    token_mode: TokenMode = False,
    as_json: Json = False,
) -> None:
    """Hash a file with the key (HMAC), or under its authority (SHA-256)."""
    _write(as_json, _operate(Usage.HASH, key, _payload(source), mechanism, token_mode), target)


@app.command()
def translate(
    *,
    key: Key,
    source: In,
    target: Out,
    to: Annotated[str, typer.Option(help="Name or id of the key to encrypt to.")],
    aad: Aad = None,
    target_aad: TargetAad = None,
    mechanism: Chosen = None,
    target_mechanism: Annotated[Mechanism | None, typer.Option()] = None,
    token_mode: TokenMode = False,
    as_json: Json = False,
) -> None:
    """Decrypt by one key and encrypt to another, inside the device."""
    outcome = _operate(
        Usage.TRANSLATE,
        key,
        _payload(source),
        mechanism,
        token_mode,
        target=to,
        target_mechanism=target_mechanism or "",
        aad=_encoded(aad),
        target_aad=_encoded(target_aad),
    )
    _write(as_json, outcome, target)


def _operate(
    usage: Usage, key: str, payload: bytes, mechanism: Mechanism | None, token_mode: bool, **parameters: Any
) -> Outcome:
    with connected() as connection:
        return operate(
            connection,
            usage,
            key,
            payload,
            now=prompts.now(),
            mechanism=mechanism or "",
            parameters=Parameters(**parameters),
            token_mode=token_mode,
        )


def _payload(source: Path) -> bytes:
    if source.stat().st_size > MAX_PAYLOAD:
        raise Refused("too-large", f"{source} has more than {MAX_PAYLOAD} bytes")
    return source.read_bytes()


def _message(source: Path, digest: bool) -> tuple[bytes, bool]:
    """(payload, prehashed) for signing or verifying a file of any size."""
    if digest or source.stat().st_size > MAX_PAYLOAD:
        return file_digest(source), True
    return source.read_bytes(), False


def _encoded(file: Path | None) -> str:
    return b64u(file.read_bytes()) if file else ""


def _described(outcome: Outcome) -> dict[str, Any]:
    return {"key_id": outcome.key_id, "version": outcome.version, "mechanism": outcome.mechanism}


def _write(as_json: bool, outcome: Outcome, target: Path) -> None:
    write_private(target, outcome.result)
    text = f"{outcome.mechanism}: {len(outcome.result)} bytes written to {target}"
    show(as_json, _described(outcome) | {"out": str(target)}, text)
