"""`trust`: everything that is checked before a key is encrypted, shown as evidence."""

import typer

from strongroom.cli import prompts
from strongroom.cli.output import Json, moment, next_step, pairs, records, show, warn_of_mode
from strongroom.client.connection import connect
from strongroom.client.evidence import Evidence
from strongroom.client.trust import validate
from strongroom.protocol.encoding import digest

app = typer.Typer()


@app.command()
def trust(as_json: Json = False) -> None:
    """Validate vendor key, provider key and the device's attestation, and show the evidence."""
    home = prompts.home()
    partition = home.config().partition
    with connect(home, "client" if partition else "nobody") as connection:
        evidence = validate(connection, prompts.now(), partition)
    warn_of_mode(evidence.mode)
    rows = [
        ("Mode", evidence.mode),
        ("Device", evidence.device),
        ("Vendor key", evidence.vendor_key.key_id),
        ("Provider key", evidence.provider_key.key_id),
    ]
    step = "choose a partition: strongroom partition use ID"
    if evidence.attestation:
        says = evidence.attestation.says
        held = says.partition
        rows += [("World", says.world), ("Software measurement", says.measurement), ("Device kind", says.kind)]
        if held:
            rows += [
                ("Partition", held.partition),
                ("Owner fingerprint", f"{', '.join(held.owners)} (yours)"),
                ("Access list", f"version {held.access_list_version}"),
            ]
        step = "strongroom import FILE --name NAME --usage sign"
    answers = [
        {"who": one.validator, "about": one.subject, "says": one.status, "when": moment(one.issued_at)}
        for one in evidence.validations()
    ]
    table = records(answers, ["who", "about", "says", "when"], empty="")
    show(as_json, _as_data(evidence), table, pairs(rows), "All agree.", next_step(step))


def _as_data(evidence: Evidence) -> dict[str, object]:
    tokens = {
        "vendor_key": evidence.vendor_key.token,
        "provider_key": evidence.provider_key.token,
        "manufacturer": evidence.manufacturer.token,
        "provider": evidence.provider.token,
        "attestation": evidence.attestation.token if evidence.attestation else None,
    }
    return {
        "mode": evidence.mode,
        "device": evidence.device,
        "vendor_key": evidence.vendor_key.key_id,
        "vendor_key_digest": digest(evidence.vendor_key.key.raw),
        "provider_key": evidence.provider_key.key_id,
        "provider_key_digest": digest(evidence.provider_key.key.raw),
        "owner": evidence.attestation.says.partition if evidence.attestation else None,
        "validations": evidence.validations(),
        "statements": tokens,
    }
