"""`trust`: everything that is checked before a key is encrypted, shown as evidence, or saved to be carried."""

from pathlib import Path
from typing import Annotated

import typer

from strongroom.cli import key_options as o
from strongroom.cli import prompts
from strongroom.cli.output import Json, moment, next_step, pairs, records, show, warn_of_mode
from strongroom.cli.prompts import connected
from strongroom.client import airgap
from strongroom.client.connection import connect
from strongroom.client.dossier import Evidence
from strongroom.client.evidence import WrappingKey
from strongroom.client.files import write_private
from strongroom.client.home import Home
from strongroom.client.trust import validate
from strongroom.protocol.access import device_principal
from strongroom.protocol.encoding import digest

app = typer.Typer(help="Who vouches for the keys that yours would be sealed to.")


@app.callback(invoke_without_command=True)
def trust(
    context: typer.Context,
    transport: o.Via = "tee",
    suite: o.By = "HPKE-XWING",
    validator: o.Validators = None,
    as_json: Json = False,
) -> None:
    """Validate vendor key, provider key and the device's attestation, and show the evidence."""
    if context.invoked_subcommand:
        return
    home = prompts.home()
    partition = home.config().partition
    with connect(home, "client" if partition else "nobody") as connection:
        evidence = validate(connection, prompts.now(), partition, o.make_route(transport, suite, validator))
    warn_of_mode(evidence.mode)
    answers = [
        {"who": one.validator, "about": one.subject, "says": one.status, "when": moment(one.issued_at)}
        for one in evidence.validations()
    ]
    table = records(answers, ["who", "about", "says", "when"], empty="")
    show(as_json, _as_data(evidence), table, pairs(_rows(evidence)), "All agree.", next_step(_next(home, evidence)))


@app.command("save")
def trust_save(
    file: Annotated[Path, typer.Argument(dir_okay=False, help="Where to write it, to be carried.")],
    transport: o.Via = "tee",
    suite: o.By = "HPKE-XWING",
    validator: o.Validators = None,
    as_json: Json = False,
) -> None:
    """Validate now, and save all that was said for `wrap` on a machine without a network."""
    now = prompts.now()
    with connected() as connection:
        saved = airgap.save(connection, o.make_route(transport, suite, validator), now)
    write_private(file, saved)
    what = f"{file} counts for 24 hours" + ("; its key serves once, within one hour" if suite == "RSA-AES-KWP" else "")
    besides = "".join(f" --validator {one}" for one in validator or ())
    step = f"strongroom wrap KEYFILE --trust {file} --name NAME --usage sign{besides} --out ENVELOPE"
    show(as_json, {"out": str(file), "digest": digest(saved), "saved_at": now}, f"{what}.", next_step(step))


def _next(home: Home, evidence: Evidence) -> str:
    says = evidence.attestation.says.partition if evidence.attestation else None
    if says is None:
        return "strongroom partition use ID"
    if says.access_list_version == 0:
        who = device_principal(home.credential("device")) if home.has_key("device") else "PRINCIPAL"
        return f"nobody is listed yet; the owner: strongroom access allow {who} --rights import,sign,verify"
    return "strongroom import FILE --name NAME --usage sign"


def _rows(evidence: Evidence) -> list[tuple[str, object]]:
    provider_key = evidence.provider_key
    rows: list[tuple[str, object]] = [
        ("Mode", evidence.mode),
        ("Device", evidence.device),
        ("Transport", f"{evidence.dossier.transport}, suite {evidence.dossier.suite}"),
        ("Vendor key", evidence.vendor_key.key_id),
        ("Provider key", provider_key.key_id if provider_key else "none: TLS takes its place"),
    ]
    if evidence.attestation is None:
        return rows
    says = evidence.attestation.says
    rows += [("World", says.world), ("Software measurement", says.measurement), ("Device kind", says.kind)]
    if says.partition:
        rows += [
            ("Partition", says.partition.partition),
            ("Owner fingerprint", f"{', '.join(says.partition.owners)} (yours)"),
            ("Access list", f"version {says.partition.access_list_version}"),
        ]
    return rows


def _as_data(evidence: Evidence) -> dict[str, object]:
    first_seen = {one.says.validator: one.says.first_seen for one in evidence.answers if one.says.first_seen}
    return {
        "mode": evidence.mode,
        "device": evidence.device,
        "transport": evidence.dossier.transport,
        "suite": evidence.dossier.suite,
        **_key("vendor_key", evidence.vendor_key),
        **_key("provider_key", evidence.provider_key),
        "owner": evidence.attestation.says.partition if evidence.attestation else None,
        "validations": evidence.validations(),
        "first_seen": first_seen,
        "statements": evidence.dossier,
    }


def _key(name: str, key: WrappingKey | None) -> dict[str, object]:
    return {name: key.key_id if key else None, f"{name}_digest": digest(key.key.raw) if key else None}
