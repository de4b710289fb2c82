"""`sign`, `verify`, `encrypt`, `decrypt`, `hash`, `translate`, `derive`: files in, files out; and `--batch`."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from strongroom.cli import prompts
from strongroom.cli.batches import Batch
from strongroom.cli.output import Json, show
from strongroom.cli.prompts import connected
from strongroom.client import receipts
from strongroom.client.files import write_private
from strongroom.client.material import public_key_der
from strongroom.client.operations import Outcome, operate, usual_mechanism
from strongroom.client.signatures import file_digest
from strongroom.protocol.encoding import b64u
from strongroom.protocol.errors import Refused
from strongroom.protocol.instructions import MAX_PAYLOAD, MAX_SEALED, Parameters
from strongroom.protocol.mechanisms import Mechanism, Usage

app = typer.Typer()

Key = Annotated[str, typer.Option(help="Name or id of the key.")]
In = Annotated[Path | None, typer.Option("--in", exists=True, dir_okay=False)]
Out = Annotated[Path, typer.Option("--out", dir_okay=False)]
BatchIn = Annotated[
    Path | None,
    typer.Option(
        "--batch",
        exists=True,
        dir_okay=False,
        help="Instead of --in: a file with {payload, signature, aad} in base64 on each line; the answers go to --out.",
    ),
]
Format = Annotated[Literal["raw"] | None, typer.Option("--format", help="ECDSA: r ‖ s instead of DER.")]
Chosen = Annotated[Mechanism | None, typer.Option("--mechanism", help="Else the key type's usual one.")]
TokenMode = Annotated[
    bool, typer.Option("--token-mode", help="Let the API token alone authorise it, where the key's terms permit.")
]
Sealed = Annotated[
    bool, typer.Option("--sealed", help="Encrypt it to the device: the provider sees neither payload nor result.")
]
Digest = Annotated[bool, typer.Option("--digest", help="Send only the file's digest; so above 1 MiB in any case.")]
Version = Annotated[int, typer.Option(help="Which version of the key; else the newest known here.", min=0)]
Aad = Annotated[Path | None, typer.Option("--aad", exists=True, help="File with additional authenticated data.")]
TargetAad = Annotated[
    Path | None, typer.Option("--target-aad", exists=True, help="The same, for the key to encrypt to.")
]


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
    ask = _Ask(Usage.SIGN, key, version, mechanism, token_mode, sealed)
    if batch:
        return ask.batch(as_json, (source, batch, target), prehashed=digest, format=form or "")
    payload, prehashed = ask.message(_one(source), digest)
    outcome = ask(payload, prehashed=prehashed, format=form or "")
    return _write(as_json, outcome, target)


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
    ask = _Ask(Usage.VERIFY, key, version, mechanism, token_mode, sealed)
    if batch:
        return ask.batch(as_json, (source, batch, target), prehashed=digest, format=form or "")
    if signature is None:
        raise Refused("configuration", "--signature is needed")
    payload, prehashed = ask.message(_one(source), digest)
    outcome = ask(payload, prehashed=prehashed, format=form or "", signature=b64u(signature.read_bytes()))
    valid = outcome.valid is True
    show(as_json, _described(outcome) | {"valid": valid}, "The signature holds." if valid else "It does NOT hold.")
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
    ask = _Ask(Usage.ENCRYPT, key, version, mechanism, token_mode, sealed)
    if batch:
        return ask.batch(as_json, (source, batch, target), aad=_encoded(aad))
    return _write(as_json, ask(_payload(_one(source)), aad=_encoded(aad)), target)


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
    ask = _Ask(Usage.DECRYPT, key, version, mechanism, token_mode, sealed)
    if batch:
        return ask.batch(as_json, (source, batch, target), aad=_encoded(aad))
    return _write(as_json, ask(_payload(_one(source)), aad=_encoded(aad)), target)


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
    ask = _Ask(Usage.HASH, key, version, mechanism, token_mode, sealed)
    if batch:
        return ask.batch(as_json, (source, batch, target))
    return _write(as_json, ask(_payload(_one(source))), target)


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
    ask = _Ask(Usage.TRANSLATE, key, version, mechanism, token_mode, sealed)
    parameters = {
        "target": to,
        "target_mechanism": target_mechanism or "",
        "aad": _encoded(aad),
        "target_aad": _encoded(target_aad),
    }
    if batch:
        return ask.batch(as_json, (source, batch, target), **parameters)
    return _write(as_json, ask(_payload(_one(source)), **parameters), target)


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
    parameters = {"aad": b64u(info.encode()), "salt": _encoded(salt), "length": length}
    outcome = _Ask(Usage.DERIVE, key, version, mechanism, token_mode, sealed)(public, **parameters)
    _write(as_json, outcome, target)


@dataclass(frozen=True)
class _Ask:
    """What is asked of which key. Called with payload and parameters, it asks."""

    usage: Usage
    key: str
    version: int
    mechanism: Mechanism | None
    token_mode: bool
    sealed: bool

    def __call__(self, payload: bytes, **parameters: Any) -> Outcome:
        with connected() as connection:
            return operate(
                connection,
                self.usage,
                self.key,
                payload,
                now=prompts.now(),
                version=self.version,
                mechanism=self.mechanism or "",
                parameters=Parameters(**parameters),
                token_mode=self.token_mode,
                sealed=self.sealed,
            )

    def batch(self, as_json: bool, files: tuple[Path | None, Path, Path | None], **parameters: Any) -> None:
        """`files`: --in, --batch and --out."""
        single, source, target = files
        if single is not None:
            raise Refused("configuration", "--in and --batch do not go together")
        asked = Batch(
            self.usage,
            self.key,
            self.version,
            self.mechanism or "",
            self.token_mode,
            self.sealed,
            Parameters(**parameters),
        )
        asked.run(as_json, source, target)

    def message(self, source: Path, digest: bool) -> tuple[bytes, bool]:
        """(payload, prehashed) for signing or verifying a file of any size."""
        if not digest and source.stat().st_size <= MAX_PAYLOAD:
            return source.read_bytes(), False
        mechanism = self.mechanism
        if mechanism is None:
            with connected() as connection:
                receipt = receipts.find(connection, self.key, prompts.now(), self.version)
            return file_digest(source, usual_mechanism(receipt, self.usage)), True
        return file_digest(source, mechanism), True


def _one(source: Path | None) -> Path:
    if source is None:
        raise Refused("configuration", "--in or --batch is needed")
    return source


def _payload(source: Path) -> bytes:
    if source.stat().st_size > MAX_SEALED:
        raise Refused("too-large", f"{source} has more than {MAX_PAYLOAD} bytes")
    return source.read_bytes()


def _encoded(file: Path | None) -> str:
    return b64u(file.read_bytes()) if file else ""


def _described(outcome: Outcome) -> dict[str, Any]:
    return {"key_id": outcome.key_id, "version": outcome.version, "mechanism": outcome.mechanism}


def _write(as_json: bool, outcome: Outcome, target: Path) -> None:
    write_private(target, outcome.result)
    text = f"{outcome.mechanism}: {len(outcome.result)} bytes written to {target}"
    show(as_json, _described(outcome) | {"out": str(target)}, text)
