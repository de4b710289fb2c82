"""Third-party validators, and the policy that says who must vouch: where they lie in the folder.

trust/validators/NAME.json   a validator's address, signing credential and TLS certificate, got out of band
policy.json                  {"require": ["manufacturer", "provider", "validator:NAME", …]}; without it all of these
"""

import re
from pathlib import Path

import msgspec

from strongroom.client.dossier import MANUFACTURER, PROVIDER, THIRD_PARTY, Anchors
from strongroom.client.files import read_file, write_private
from strongroom.client.home import Home
from strongroom.protocol.credentials import PublicCredential
from strongroom.protocol.encoding import read_json
from strongroom.protocol.errors import Refused

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


class ThirdParty(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A validator that is neither manufacturer nor provider. `tls` is the only certificate that is accepted, in PEM."""

    url: str
    credential: PublicCredential
    tls: str


class _Policy(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    require: list[str]


def add(home: Home, name: str, third_party: ThirdParty) -> None:
    """Trust a validator from now on: its word is required wherever the policy does not say otherwise."""
    if not _NAME.fullmatch(name):
        raise Refused("malformed", "a validator's name has letters, digits, dots, dashes or underlines")
    if not third_party.url.startswith("https://"):
        raise Refused("configuration", "a validator's address must be https")
    write_private(_folder(home) / f"{name}.json", msgspec.json.encode(third_party))


def remove(home: Home, name: str) -> None:
    if name not in third_parties(home):
        raise Refused("not-found", f"no validator {name!r} here")
    (_folder(home) / f"{name}.json").unlink()


def third_parties(home: Home) -> dict[str, ThirdParty]:
    """The validators that this folder has anchors for, by name."""
    return {
        path.stem: read_json(path.read_bytes(), ThirdParty, "configuration")
        for path in sorted(_folder(home).glob("*.json"))
    }


def required(home: Home, besides: tuple[str, ...] = ()) -> tuple[str, ...]:
    """Who must vouch: whom the policy names (else everyone), and `besides`, by name or address.

    Raises `Refused("configuration")` for a validator without an anchor, and for a policy that asks the provider alone.
    """
    known = third_parties(home)
    everyone = [MANUFACTURER, PROVIDER, *(THIRD_PARTY + name for name in known)]
    path = home.path / "policy.json"
    policy = _policy(path) if path.exists() else everyone
    for one in besides:
        name = next((name for name, said in known.items() if one.rstrip("/") in (name, said.url.rstrip("/"))), one)
        policy = [*policy, THIRD_PARTY + name]
    if strangers := [one for one in policy if one not in everyone]:
        raise Refused("configuration", f"no trust anchor for {strangers[0]}: strongroom validator add NAME …")
    if not set(policy) - {PROVIDER}:
        raise Refused("configuration", "the policy must require someone besides the provider to vouch for keys")
    return tuple(dict.fromkeys(policy))


def _policy(path: Path) -> list[str]:
    try:
        return read_json(read_file(path, ""), _Policy, "configuration").require
    except Refused as refusal:
        raise Refused(refusal.code, f'{path} must be {{"require": ["manufacturer", …]}} and nothing else') from None


def anchors(home: Home, partition: str = "", besides: tuple[str, ...] = ()) -> Anchors:
    """All that this folder trusts, for judging a dossier about `partition`."""
    return Anchors(
        roots=home.manufacturer_roots(),
        provider=home.config().provider,
        provider_validation=home.provider_validation(),
        third_parties={name: one.credential for name, one in third_parties(home).items()},
        required=required(home, besides),
        own=home.credential("owner") if partition else None,
        kept=home.kept("access", partition) if partition else "",
    )


def _folder(home: Home) -> Path:
    return home.path / "trust" / "validators"
