"""What the commands of operations have in common: their options, how they ask, and what they print and write."""

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from strongroom.cli import prompts
from strongroom.cli.batches import Batch
from strongroom.cli.output import show
from strongroom.cli.prompts import connected
from strongroom.client import receipts
from strongroom.client.batches import BatchOutcome, operate_batch
from strongroom.client.files import write_private
from strongroom.client.operations import Outcome, operate, usual_mechanism
from strongroom.client.signatures import file_digest
from strongroom.protocol.encoding import b64u
from strongroom.protocol.errors import Refused
from strongroom.protocol.instructions import MAX_PAYLOAD, MAX_SEALED, Item, Parameters
from strongroom.protocol.mechanisms import Mechanism, Usage

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


@dataclass(frozen=True)
class Ask:
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

    def each(self, items: list[Item], **parameters: Any) -> BatchOutcome:
        """The answers to items that are at hand, at most `MAX_ITEMS`."""
        with connected() as connection:
            return operate_batch(
                connection,
                self.usage,
                self.key,
                items,
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


def one_file(source: Path | None) -> Path:
    if source is None:
        raise Refused("configuration", "--in or --batch is needed")
    return source


def payload_of(source: Path) -> bytes:
    if source.stat().st_size > MAX_SEALED:
        raise Refused("too-large", f"{source} has more than {MAX_PAYLOAD} bytes")
    return source.read_bytes()


def encoded(file: Path | None) -> str:
    return b64u(file.read_bytes()) if file else ""


def described(outcome: Outcome | BatchOutcome) -> dict[str, Any]:
    """What every answer says in JSON. `sealed`: whether the provider saw neither payload nor result."""
    return {name: getattr(outcome, name) for name in ("key_id", "version", "mechanism", "sealed")}


def write(as_json: bool, outcome: Outcome, target: Path) -> None:
    write_private(target, outcome.result)
    text = f"{outcome.mechanism}: {len(outcome.result)} bytes written to {target}"
    show(as_json, described(outcome) | {"out": str(target)}, text)
