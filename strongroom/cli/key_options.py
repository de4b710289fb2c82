"""Options that say what a key file is and what the key may do: the same for every way of importing."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from strongroom.cli import prompts
from strongroom.cli.output import aside
from strongroom.client.manifest import KeySettings
from strongroom.client.material import Material, needs_passphrase, read_material
from strongroom.client.material.symmetric import TextEncoding
from strongroom.client.revocation import EVERY
from strongroom.client.routes import Route
from strongroom.protocol.envelope import Transport
from strongroom.protocol.mechanisms import KeyType, Mechanism, Usage
from strongroom.protocol.suites import Suite

FORMS = "PKCS#8, PKCS#1, SEC1, OpenSSH, JWK, PKCS#12, a certificate or public key, or a symmetric key raw or in hex."
KeyFile = Annotated[Path, typer.Argument(exists=True, dir_okay=False, help=FORMS)]
Usages = Annotated[list[Usage], typer.Option("--usage", help="Repeat for each use.")]
Type = Annotated[
    KeyType | None, typer.Option("--type", help="What the key is; needed where the file could be read in two ways.")
]
Encoding = Annotated[
    TextEncoding | None, typer.Option("--encoding", help="How a symmetric key is written in the file.")
]
Mode = Annotated[
    Literal["signed", "token"], typer.Option(help="token: a dishonest portal could use the key while it is listed.")
]
Mechanisms = Annotated[list[Mechanism] | None, typer.Option("--mechanism", help="Permit only these.")]
TranslateTo = Annotated[
    list[str] | None, typer.Option("--translate-to", help="Key (name or id) to which it may translate.")
]
NotBefore = Annotated[str | None, typer.Option(help="ISO 8601, UTC unless it says otherwise; or from now, as 12h.")]
NotAfter = Annotated[str | None, typer.Option(help="ISO 8601, UTC unless it says otherwise; or from now, as 90d.")]
Expires = Annotated[str | None, typer.Option(help="The same as --not-after.")]
RevokeAt = Annotated[str, typer.Option(help="https address of your endpoint, which the TEE asks from then on.")]
RevokeToken = Annotated[
    str, typer.Option(metavar="TOKEN|@FILE", help="What the TEE is known to the endpoint by; better from a file.")
]
RevokeTokenFile = Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="The same as @FILE.")]
RevokePin = Annotated[
    Path | None,
    typer.Option(exists=True, dir_okay=False, help="PEM: the endpoint's certificate, its issuer's, or a public key."),
]
RevokeEvery = Annotated[str, typer.Option(help="For how long an answer holds at most: 30s, 5m, 12h, 7d.")]
RevokeAnswerKey = Annotated[
    Path | None, typer.Option(exists=True, dir_okay=False, help="PEM: Ed25519 public key that signs the answers.")
]
RevokeDir = Annotated[
    Path | None,
    typer.Option(exists=True, file_okay=False, help="Your endpoint's folder: token, pin, and list of keys to add to."),
]
StatusBy = Annotated[
    Literal["ocsp", "crl", "none"] | None,
    typer.Option("--certificate-status", help="How the TEE asks whether the key's own certificate is revoked."),
]
StatusAt = Annotated[str, typer.Option("--certificate-status-at", help="Address, where not the certificate's own.")]
StatusEvery = Annotated[str, typer.Option("--certificate-status-every", help="How old such an answer may be.")]
Certificate = Annotated[
    Path | None, typer.Option(exists=True, dir_okay=False, help="The key's certificate, with its chain.")
]
Passphrase = Annotated[
    Path | None,
    typer.Option("--key-passphrase-file", exists=True, dir_okay=False, help="Else it is asked for; it stays here."),
]
Via = Annotated[Transport, typer.Option(help="Who takes off the outer layer: the TEE, the provider's engine, or TLS.")]
By = Annotated[Suite, typer.Option(help="How the envelope is sealed.")]
ViaSaved = Annotated[Transport | None, typer.Option(help="As `trust save` was told; the file says it too.")]
BySaved = Annotated[Suite | None, typer.Option(help="As `trust save` was told; the file says it too.")]
Validators = Annotated[
    list[str] | None, typer.Option("--validator", help="A third party (name or address) who must vouch too.")
]
OwnerConsent = Annotated[
    bool, typer.Option("--owner-consent", help="Sign, as owner, for terms looser than those of the version before.")
]


_NAMES = {"key_type": "type"}
"""What is called otherwise in `KeySettings`."""


@dataclass(frozen=True, kw_only=True)
class MayDo:
    """Options for what a key may do, and who may revoke it."""

    mode: Mode = "signed"
    mechanism: Mechanisms = None
    translate_to: TranslateTo = None
    not_before: NotBefore = None
    not_after: NotAfter = None
    revoke_at: RevokeAt = ""
    revoke_token_file: RevokeTokenFile = None
    revoke_pin: RevokePin = None
    revoke_every: RevokeEvery = EVERY
    revoke_answer_key: RevokeAnswerKey = None
    revoke_dir: RevokeDir = None

    def settings(self, usage: list[Usage] | None) -> KeySettings:
        """The same as a manifest has them."""
        given = {_NAMES.get(name, name): value for name, value in asdict(self).items() if value}
        said: dict[str, Any] = {name: str(value) if isinstance(value, Path) else value for name, value in given.items()}
        return KeySettings(usage=usage or [], **said)


@dataclass(frozen=True, kw_only=True)
class OfFile(MayDo):
    """The same for a key that comes from a file."""

    key_type: Type = None
    encoding: Encoding = None
    expires: Expires = None
    revoke_token: RevokeToken = ""
    status_by: StatusBy = None
    status_at: StatusAt = ""
    status_every: StatusEvery = ""


def read_key(
    file: Path,
    key_type: KeyType | None,
    encoding: TextEncoding | None,
    certificate: Path | None,
    passphrase_file: Path | None,
) -> Material:
    """The key in a file; a passphrase comes from `passphrase_file` or the person at the terminal."""
    data = file.read_bytes()
    passphrase = None
    if needs_passphrase(data):
        passphrase = prompts.secret(f"Passphrase of {file.name}", passphrase_file).encode()
    chain = certificate.read_bytes() if certificate else b""
    return read_material(data, key_type, passphrase, encoding=encoding, certificate=chain)


def make_route(transport: Transport, suite: Suite, validators: list[str] | None) -> Route:
    return Route(transport, suite, tuple(validators or ()))


def warn_of_token(token: str) -> None:
    """Say that a token among the arguments can be read by whoever sees this machine's processes."""
    if token and not token.startswith("@"):
        aside.print(
            "The token stands among the arguments, for all on this machine to see: better --revoke-token @FILE."
        )
