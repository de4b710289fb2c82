"""`keys make`, `keys renew`, `keys csr`: keys whose material never leaves the device."""

from pathlib import Path
from typing import Annotated

import msgspec
import typer
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from strongroom.cli import key_options as o
from strongroom.cli import prompts
from strongroom.cli.asking import Sealed, described
from strongroom.cli.option_groups import spread
from strongroom.cli.output import Json, next_step, show, warn_of_mode
from strongroom.cli.prompts import connected
from strongroom.cli.receipts import show_checked
from strongroom.cli.revocation import list_kept
from strongroom.client import imports, kept_terms, receipts, revocation
from strongroom.client.files import write_private
from strongroom.client.making import kept, to_be_made
from strongroom.client.manifest import KeySettings
from strongroom.client.operations import operate
from strongroom.protocol.certification import Subject
from strongroom.protocol.errors import Refused
from strongroom.protocol.mechanisms import Mechanism, Usage
from strongroom.protocol.terms import Authorisation, new_salt

app = typer.Typer()
Name = Annotated[str, typer.Argument(help="Name of the key.")]


@app.command("make")
@spread
def keys_make(
    name: Name,
    *,
    kind: Annotated[str, typer.Option("--type", help="EC-P256, AES-256, …; RSA-3072 (bits), HMAC-32 (bytes).")],
    usage: o.Usages,
    options: o.MayDo,
    transport: o.Via = "tee",
    suite: o.By = "HPKE-XWING",
    validator: o.Validators = None,
    new_version: Annotated[bool, typer.Option("--new-version", help="As the next version of the key NAME.")] = False,
    owner_consent: o.OwnerConsent = False,
    as_json: Json = False,
) -> None:
    """Have the device make a key under your terms: nobody outside ever has it, and no other device can."""
    material = to_be_made(kind)
    with connected() as connection:
        made = imports.import_key(
            connection,
            material,
            name,
            options.settings(usage).terms(material),
            prompts.now(),
            route=o.make_route(transport, suite, validator),
            new_version=new_version,
            owner_consent=owner_consent,
        )
        if options.revoke_dir:
            list_kept(connection.home, options.revoke_dir, [name])
    _show(as_json, made, usage)


@app.command("renew")
def keys_renew(
    name: Name,
    *,
    certificate: Annotated[
        Path | None, typer.Option(exists=True, dir_okay=False, help="The key's own certificate, with its chain.")
    ] = None,
    usage: Annotated[list[Usage] | None, typer.Option(help="Instead of those in the terms that are kept here.")] = None,
    mode: Annotated[Authorisation | None, typer.Option(help="Instead of the mode in those terms.")] = None,
    not_before: o.NotBefore = None,
    not_after: o.NotAfter = None,
    transport: o.Via = "tee",
    suite: o.By = "HPKE-XWING",
    validator: o.Validators = None,
    owner_consent: o.OwnerConsent = False,
    as_json: Json = False,
) -> None:
    """Give a key new terms or a certificate: a new version with the same key, which never leaves the device."""
    now = prompts.now()
    with connected() as connection:
        newest = receipts.fetch(connection, name, now).receipt
        material = kept(newest, certificate.read_bytes() if certificate else b"")
        given = KeySettings(usage=usage or [], mode=mode or "signed", not_before=not_before, not_after=not_after)
        terms = kept_terms.find(connection.home, newest.terms_digest)
        if terms is None and usage is None:
            raise Refused("configuration", "the key's terms are not kept in this folder: say --usage and the rest")
        if terms is None:
            terms = given.terms(material)
        else:
            changes = {
                "usages": usage,
                "authorisation": mode,
                "not_before": revocation.read_moment(not_before, now) if not_before else None,
                "not_after": revocation.read_moment(not_after, now) if not_after else None,
            }
            said = {term: value for term, value in changes.items() if value is not None}
            terms = msgspec.structs.replace(terms, salt=new_salt(), size=None, **said)
        renewed = imports.import_key(
            connection,
            material,
            name,
            terms,
            now,
            route=o.make_route(transport, suite, validator),
            new_version=True,
            owner_consent=owner_consent,
        )
    _show(as_json, renewed, terms.usages)


@app.command("csr")
def keys_csr(
    name: Annotated[str, typer.Argument(help="Name or key id.")],
    *,
    target: Annotated[Path, typer.Option("--out", dir_okay=False, help="The request in PEM.")],
    subject: Annotated[str, typer.Option(help="As RFC 4514 writes it: CN=shop.example,O=Shop,C=NL")] = "",
    san: Annotated[list[str] | None, typer.Option(help="DNS:, IP:, email: or URI: and a name. Repeat.")] = None,
    version: Annotated[int, typer.Option(help="Which version of the key; else the newest known here.", min=0)] = 0,
    token_mode: Annotated[bool, typer.Option("--token-mode", help="On the API token alone.")] = False,
    sealed: Sealed = False,
    as_json: Json = False,
) -> None:
    """Have the device sign a certification request (PKCS#10) for a key. It is checked before it is written."""
    with connected() as connection:
        outcome = operate(
            connection,
            Usage.SIGN,
            name,
            Subject(subject=subject, san=san or []).encode(),
            now=prompts.now(),
            version=version,
            mechanism=Mechanism.X509_CSR,
            token_mode=token_mode,
            sealed=sealed,
        )
    request = x509.load_der_x509_csr(outcome.result).public_bytes(Encoding.PEM)
    write_private(target, request)
    data = described(outcome) | {"out": str(target)}
    step = f"have it certified, then: strongroom keys renew {name} --certificate CHAIN.pem"
    show(as_json, data, f"Request written to {target}", next_step(step))


def _show(as_json: bool, made: imports.Imported, usages: list[Usage]) -> None:
    warn_of_mode(made.evidence.mode)
    checked = receipts.Checked(made.receipt, made.evidence.mode, compared=True)
    show_checked(as_json, checked, f"kept in {made.path}", usages=usages)
