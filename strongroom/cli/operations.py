"""`sign`, `verify`, `encrypt`, `decrypt`, `hash`, `translate`, `derive`: files in, files out."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from strongroom.cli import prompts
from strongroom.cli.output import Json, show
from strongroom.cli.prompts import connected
from strongroom.client import receipts
from strongroom.client.files import write_private
from strongroom.client.material import public_key_der
from strongroom.client.operations import Outcome, operate, usual_mechanism
from strongroom.client.signatures import file_digest
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
    source: In,
    target: Out,
    digest: Digest = False,
    version: Version = 0,
    mechanism: Chosen = None,
    token_mode: TokenMode = False,
    as_json: Json = False,
) -> None:
    """Sign a file. The signature is checked against the receipt's public key before it is written."""
    ask = _Ask(Usage.SIGN, key, version, mechanism, token_mode)
    payload, prehashed = ask.message(source, digest)
    outcome = ask(payload, prehashed=prehashed)
    _write(as_json, outcome, target)


@app.command()
def verify(
    *,
    key: Key,
    source: In,
    signature: Annotated[Path, typer.Option(exists=True, dir_okay=False)],
    digest: Digest = False,
    version: Version = 0,
    mechanism: Chosen = None,
    token_mode: TokenMode = False,
    as_json: Json = False,
) -> None:
    """Ask the device whether a signature holds. Exit status 1 where it does not."""
    ask = _Ask(Usage.VERIFY, key, version, mechanism, token_mode)
    payload, prehashed = ask.message(source, digest)
    outcome = ask(payload, prehashed=prehashed, signature=b64u(signature.read_bytes()))
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
    version: Version = 0,
    mechanism: Chosen = None,
    token_mode: TokenMode = False,
    as_json: Json = False,
) -> None:
    """Encrypt a file of at most 1 MiB."""
    outcome = _Ask(Usage.ENCRYPT, key, version, mechanism, token_mode)(_payload(source), aad=_encoded(aad))
    _write(as_json, outcome, target)


@app.command()
def decrypt(
    *,
    key: Key,
    source: In,
    target: Out,
    aad: Aad = None,
    version: Version = 0,
    mechanism: Chosen = None,
    token_mode: TokenMode = False,
    as_json: Json = False,
) -> None:
    """Decrypt a file; the result is readable by you alone."""
    outcome = _Ask(Usage.DECRYPT, key, version, mechanism, token_mode)(_payload(source), aad=_encoded(aad))
    _write(as_json, outcome, target)


@app.command("hash")
def hash_command(
    *,
    key: Key,
    source: In,
    target: Out,
    version: Version = 0,
    mechanism: Chosen = None,
    token_mode: TokenMode = False,
    as_json: Json = False,
) -> None:
    """Hash a file with the key (HMAC), or under its authority (SHA-256)."""
    _write(as_json, _Ask(Usage.HASH, key, version, mechanism, token_mode)(_payload(source)), target)


@app.command()
def translate(
    *,
    key: Key,
    source: In,
    target: Out,
    to: Annotated[str, typer.Option(help="Name or id of the key to encrypt to.")],
    aad: Aad = None,
    target_aad: TargetAad = None,
    version: Version = 0,
    mechanism: Chosen = None,
    target_mechanism: Annotated[Mechanism | None, typer.Option()] = None,
    token_mode: TokenMode = False,
    as_json: Json = False,
) -> None:
    """Decrypt by one key and encrypt to another, inside the device."""
    outcome = _Ask(Usage.TRANSLATE, key, version, mechanism, token_mode)(
        _payload(source),
        target=to,
        target_mechanism=target_mechanism or "",
        aad=_encoded(aad),
        target_aad=_encoded(target_aad),
    )
    _write(as_json, outcome, target)


@app.command()
def derive(
    *,
    key: Key,
    peer: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="The other side's public key.")],
    info: Annotated[str, typer.Option(help="What the derived key is for; both sides must say the same.")],
    target: Out,
    version: Version = 0,
    mechanism: Chosen = None,
    token_mode: TokenMode = False,
    as_json: Json = False,
) -> None:
    """Agree on 32 bytes with the holder of another key (ECDH, then HKDF); readable by you alone."""
    public = public_key_der(peer.read_bytes())
    outcome = _Ask(Usage.DERIVE, key, version, mechanism, token_mode)(public, aad=b64u(info.encode()))
    _write(as_json, outcome, target)


@dataclass(frozen=True)
class _Ask:
    """What is asked of which key. Called with payload and parameters, it asks."""

    usage: Usage
    key: str
    version: int
    mechanism: Mechanism | None
    token_mode: bool

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
            )

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


def _payload(source: Path) -> bytes:
    if source.stat().st_size > MAX_PAYLOAD:
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
