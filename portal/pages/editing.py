"""Changes of an access list that a page puts together for somebody to sign: what was asked for, in words too."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import get_args

import msgspec
from django.http import QueryDict

from portal.pages.selectors import Access, Names
from strongroom.protocol.access import AccessList, Editor, Principal, Right, access_list_digest, first_list, sequel
from strongroom.protocol.credentials import PublicCredential
from strongroom.protocol.encoding import b64u, read_json
from strongroom.protocol.errors import Refused
from tenants import selectors as tenants
from tenants.models import Tenant

SHOWN = 50
"""As many of the listed, and of the others, does a form show at most: each has a field for every right."""
RIGHTS: tuple[Right, ...] = get_args(Right)


@dataclass(frozen=True)
class Row:
    """Somebody in the form: as listed, or as would be listed, and what name the tenant knows them by.

    `ticked`: the rights that a change asks for which did not come into force, and `off` that it takes them off.
    """

    entry: Principal
    name: str
    listed: bool
    ticked: frozenset[str] | None = None
    off: bool = False

    @property
    def field(self) -> str:
        return f"may:{self.entry.principal}"

    @property
    def boxes(self) -> list[tuple[str, bool]]:
        """Each right, and whether it is given."""
        given = self.rights if self.ticked is None else self.ticked
        return [(right, right in given) for right in RIGHTS]

    @property
    def rights(self) -> frozenset[str]:
        return frozenset(self.entry.rights) if self.listed else frozenset()

    @property
    def shown(self) -> str:
        """Who the form shows with which rights, as it sends that back."""
        return f"{self.entry.principal} {','.join(sorted(self.rights))}"


@dataclass(frozen=True)
class Draft:
    """A list that would follow the one in force; `payload` is what is signed, `words` what it changes."""

    payload: bytes
    words: list[str]

    @property
    def encoded(self) -> str:
        return b64u(self.payload)

    @property
    def text(self) -> str:
        return self.payload.decode()


def usable(access: Access, origin: str) -> list[Editor]:
    """The editors in force whose keys a browser at this origin can use."""
    return [one for one in access.editors if one.key.origin == origin]


def rows(access: Access, names: Names, tenant: Tenant) -> list[Row]:
    """Everyone listed, then the tenant's devices and API clients that are not."""
    listed = [Row(one, names.principals.get(one.principal, one.label), listed=True) for one in access.principals]
    known = {one.principal for one in access.principals}
    others = [
        Principal(
            principal=f"device:{one.fingerprint}",
            rights=[],
            credential=msgspec.convert(one.credential, PublicCredential),
            label=one.name,
        )
        for one in tenants.devices(tenant=tenant)
    ]
    others += [
        Principal(principal=f"client:{one.client_id}", rights=[], label=one.name)
        for one in tenants.clients(tenant=tenant)
    ]
    return listed + [Row(one, one.label, listed=False) for one in others if one.principal not in known]


def found(rows: Sequence[Row], text: str) -> list[Row]:
    """Those whose name or principal has this text in it."""
    return [one for one in rows if text.lower() in f"{one.name} {one.entry.principal}".lower()]


def asked_again(rows: Sequence[Row], form: QueryDict) -> list[Row]:
    """Rows of the list in force with what a form asked of another list, as far as it still changes anything.

    It gave and took rights beside those that it showed (`Row.shown`); whatever others changed meanwhile stays.
    """
    had = dict(one.partition(" ")[::2] for one in form.getlist("had"))
    found = []
    for row in rows:
        who = row.entry.principal
        before, after = set(had.get(who, "").split(",")) - {""}, set(form.getlist(row.field)) & set(RIGHTS)
        wanted = (row.rights | (after - before)) - (before - after)
        if who in had and row.listed and who in form.getlist("off"):
            found.append(replace(row, off=True))
        elif who in had and wanted != row.rights:
            found.append(replace(row, ticked=wanted))
        else:
            found.append(row)
    return sorted(found, key=lambda one: one.ticked is None and not one.off)


def sent_again(rows: Sequence[Row], form: QueryDict) -> list[tuple[str, str]]:
    """What of a form `asked_again` needs, should what it asks for not come into force."""
    names = {"had", "off", *(row.field for row in rows)}
    return [(name, value) for name, values in form.lists() if name in names for value in values]


def draft(access: Access, rows: Sequence[Row], asked: Mapping[str, Sequence[str]], following: str) -> Draft:
    """The list that a form asks for: by `Row.field` the rights of those whom it showed, who has none being off it.

    `following` is the digest of the list that the form showed, empty where there was none yet. Raises `Refused`:
    `access-list-conflict` where another is in force by now, `malformed`.
    """
    if access.document and not following:
        raise Refused("malformed", "a change of no list")
    if following != access_list_digest(access.document or None):
        raise Refused("access-list-conflict", f"version {access.version} is in force")
    wanted: list[Principal] = []
    words: list[str] = []
    for row in rows:
        rights = asked.get(row.field, row.entry.rights if row.listed else [])
        if not set(rights) <= set(RIGHTS):
            raise Refused("malformed", "no such right")
        given = [one for one in RIGHTS if one in rights]
        before = row.entry.rights if row.listed else []
        if row.listed and set(given) == set(before):
            wanted.append(row.entry)
            continue
        if given:
            wanted.append(msgspec.structs.replace(row.entry, rights=given))
        if given or row.listed:
            words.append(_words(row, before, given))
    if not access.document:
        return Draft(first_list(access.partition, access.owner_keys, wanted), words)
    return Draft(sequel(access.document, wanted), words)


def words_of(payload: bytes, access: Access, rows: Sequence[Row]) -> list[str]:
    """What a list that followed the one in `access` changed. Raises `Refused("malformed")`."""
    listed = read_json(payload, AccessList)
    asked: dict[str, Sequence[str]] = {row.field: [] for row in rows}
    asked |= {f"may:{one.principal}": one.rights for one in listed.principals}
    return draft(access, rows, asked, access_list_digest(access.document)).words


def _words(row: Row, before: Sequence[str], after: Sequence[str]) -> str:
    who = f"{row.name} ({row.entry.principal})" if row.name else row.entry.principal
    if not row.listed:
        return f"{who} is listed, and may {', '.join(after)}."
    if not after:
        return f"{who} is taken off the list, and may do nothing here any more."
    more, less = [one for one in after if one not in before], [one for one in before if one not in after]
    said = [f"may also {', '.join(more)}"] if more else []
    said += [f"may no longer {', '.join(less)}"] if less else []
    return f"{who} {', and '.join(said)}."
