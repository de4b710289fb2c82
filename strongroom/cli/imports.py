"""`import`, `wrap`, `submit`: a key on its way into the partition."""

from pathlib import Path
from typing import Annotated, Any

import typer

from strongroom.cli import bulk, prompts, revocation
from strongroom.cli import key_options as o
from strongroom.cli.option_groups import spread
from strongroom.cli.output import Json, moment, next_step, pairs, show, warn_of_mode
from strongroom.cli.prompts import connected
from strongroom.cli.receipts import show_checked, terms_rows
from strongroom.client import airgap, imports, receipts
from strongroom.client.envelopes import SealedKey
from strongroom.client.files import write_private
from strongroom.client.material import Material
from strongroom.protocol import jws
from strongroom.protocol.envelope import ImportHeader
from strongroom.protocol.errors import Refused
from strongroom.protocol.mechanisms import Usage
from strongroom.protocol.terms import Terms

app = typer.Typer()


@app.command("import")
@spread
def import_command(
    file: Annotated[Path | None, typer.Argument(exists=True, dir_okay=False, help=o.FORMS)] = None,
    *,
    name: Annotated[str, typer.Option()] = "",
    usage: Annotated[list[Usage] | None, typer.Option(help="Repeat for each use.")] = None,
    options: o.OfFile,
    certificate: o.Certificate = None,
    key_passphrase_file: o.Passphrase = None,
    transport: o.Via = "tee",
    suite: o.By = "HPKE-XWING",
    validator: o.Validators = None,
    new_version: Annotated[bool, typer.Option("--new-version", help="As the next version of the key NAME.")] = False,
    owner_consent: o.OwnerConsent = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Do everything but send; show what would leave.")] = False,
    many: Annotated[
        Path | None,
        typer.Option("--bulk", exists=True, help="Import a folder of key files, or a manifest in JSON Lines."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Bring a key into the partition. Only the device can open what leaves this machine."""
    route = o.make_route(transport, suite, validator)
    o.warn_of_token(options.revoke_token)
    common = options.settings(usage)
    if many is not None:
        if file or name or dry_run or new_version or certificate:
            raise Refused("configuration", "--bulk takes names, files and certificates from the folder or manifest")
        common.revocation_terms()  # What contradicts itself for all is refused once.
        if not bulk.run(as_json, many, common, route, key_passphrase_file):
            raise typer.Exit(1)
        return
    if file is None or not name or not usage:
        raise Refused("configuration", "an import needs FILE, --name and --usage (or --bulk FOLDER|MANIFEST)")
    material = o.read_key(file, options.key_type, options.encoding, certificate, key_passphrase_file)
    terms = common.terms(material)
    now = prompts.now()
    with connected() as connection:
        sealed, evidence = imports.prepare(
            connection, material, name, terms, now, route=route, new_version=new_version, owner_consent=owner_consent
        )
        warn_of_mode(evidence.mode)
        if dry_run:
            _show_sealed(as_json, sealed, material, terms)
            return
        receipt, path = imports.deliver(connection, sealed, now)
        if options.revoke_dir:
            revocation.list_kept(connection.home, options.revoke_dir, [name])
    checked = receipts.Checked(receipt, evidence.mode, compared=True)
    show_checked(
        as_json,
        checked,
        f"kept in {path}",
        ("Form", material.form),
        *terms_rows(terms),
        usages=usage,
        revocable=terms.revocation is not None,
    )


@app.command()
@spread
def wrap(
    file: o.KeyFile,
    *,
    trust: Annotated[Path, typer.Option(exists=True, dir_okay=False, help="What `trust save` wrote.")],
    out: Annotated[Path, typer.Option("--out", dir_okay=False, help="The envelope to carry to the network.")],
    name: Annotated[str, typer.Option()],
    usage: o.Usages,
    options: o.OfFile,
    certificate: o.Certificate = None,
    key_passphrase_file: o.Passphrase = None,
    transport: o.ViaSaved = None,
    suite: o.BySaved = None,
    validator: o.Validators = None,
    version: Annotated[int, typer.Option(help="Which version of NAME it becomes.", min=1)] = 1,
    owner_consent: o.OwnerConsent = False,
    force: Annotated[bool, typer.Option("--force", help="Write over a file that is there.")] = False,
    max_age: Annotated[float, typer.Option("--max-age", help="Hours that the saved trust may be old.", min=0.0)] = 24,
    as_json: Json = False,
) -> None:
    """Seal a key on a machine without a network, for keys that were validated elsewhere."""
    if out.exists() and not force:
        raise Refused("conflict", f"{out} is there already: choose another name, or --force")
    o.warn_of_token(options.revoke_token)
    home, now = prompts.home(), prompts.now()
    saved = trust.read_bytes()
    route = airgap.saved_route(saved, transport, suite, tuple(validator or ()))
    # 1. Everything that was said is judged again, against this folder's own trust anchors.
    evidence = airgap.open_saved(home, saved, route, now, int(max_age * 3600))
    warn_of_mode(evidence.mode)
    # 2. The key, its terms, the envelope.
    material = o.read_key(file, options.key_type, options.encoding, certificate, key_passphrase_file)
    terms = options.settings(usage).terms(material)
    sealed = airgap.wrap(
        home,
        material,
        name,
        terms=terms,
        evidence=evidence,
        now=now,
        version=version,
        owner_consent=owner_consent,
    )
    write_private(out, airgap.write_envelope(sealed))
    _show_sealed(as_json, sealed, material, terms, f"strongroom submit {out} --out RECEIPT")


@app.command()
def submit(
    envelope: Annotated[Path, typer.Argument(exists=True, dir_okay=False, help="What `wrap` wrote.")],
    out: Annotated[Path | None, typer.Option("--out", dir_okay=False, help="The receipt, to carry back.")] = None,
    as_json: Json = False,
) -> None:
    """Send a carried envelope, and keep the receipt."""
    sealed = airgap.read_envelope(envelope)
    with connected() as connection:
        _, path = airgap.submit(connection, sealed, prompts.now())
    if out:
        write_private(out, path.read_bytes())
    checked = receipts.verify_token(prompts.home(), path.read_text(), prompts.now())
    show_checked(as_json, checked, f"kept in {out or path}")


def _show_sealed(as_json: bool, sealed: SealedKey, material: Material, terms: Terms, step: str = "") -> None:
    """What leaves, or would leave, this machine."""
    header = jws.read_unverified(sealed.envelope.header, ImportHeader)
    sizes = {part: len(getattr(sealed.envelope, part)) for part in ("header", "material", "terms")}
    data: dict[str, Any] = {"header": header, "sizes": sizes, "form": material.form, "consent": bool(sealed.consent)}
    outer = f"first by provider key {header.provider_key}, then " if header.provider_key else ""
    rows = [
        ("Read as", f"{material.form}: {material.key_type}{' (public half only)' if material.public_only else ''}"),
        ("Certificates", len(material.certificates)),
        ("Name", f"{header.name}, version {header.version}"),
        ("Opened by", f"{outer}only by vendor key {header.vendor_key} in {header.device}"),
        ("Transport", f"{header.transport}, suite {header.suite}"),
        ("Validated", ", ".join(f"{one.validator}: {one.subject} {one.status}" for one in header.validations)),
        ("Leaves", f"header {sizes['header']}, key {sizes['material']}, terms {sizes['terms']} bytes"),
        ("Sealed", moment(header.created_at)),
        *terms_rows(terms),
    ]
    data |= {name.lower(): value for name, value in terms_rows(terms)}
    show(as_json, data, pairs(rows), next_step(step) if step else "Nothing was sent.")
