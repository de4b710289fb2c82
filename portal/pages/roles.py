"""Who may see which page, and who may do what it is for: the one table that pages, navigation and docs/roles.md go by.

A page stands here by its name in the URL conf. One that does not stops the portal at its start (`unknown_pages`), so
that no page is ever for whoever finds it.
"""

from dataclasses import dataclass

from strongroom.protocol.action_table import OFFICER_CLASSES
from tenants.models import Role
from tenants.permissions import ADMINS, OPERATORS, PEOPLE

SUPPORT = "support"
"""The provider's people who read what officers read, and do nothing."""

CUSTOMER: frozenset[str] = frozenset(role.value for role in PEOPLE)
OFFICERS: frozenset[str] = frozenset(OFFICER_CLASSES)
PROVIDER: frozenset[str] = OFFICERS | {SUPPORT}
ROLES = [Role.OWNER.value, Role.ADMIN.value, Role.OPERATOR.value, Role.AUDITOR.value, *OFFICER_CLASSES, SUPPORT]
"""In the order in which tables show them: those of a customer, then those of the provider."""

_ADMINS: frozenset[str] = frozenset(role.value for role in ADMINS)
_OPERATORS: frozenset[str] = frozenset(role.value for role in OPERATORS)
_PARTITION = frozenset({"partition"})
_NOBODY: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Rule:
    """`read`: whose GET is answered; `change`: whose POST. `fresh_code`: a POST counts only with a fresh one-time code.
    `download`: a GET is answered with a file, not with a page.

    To the other side, customers' or the provider's, a page does not exist.
    """

    read: frozenset[str]
    change: frozenset[str] = _NOBODY
    fresh_code: bool = False
    download: bool = False

    @property
    def methods(self) -> list[str]:
        return (["GET", "HEAD"] if self.read else []) + (["POST"] if self.change else [])

    def roles(self, method: str) -> frozenset[str]:
        return {"GET": self.read, "HEAD": self.read, "POST": self.change}.get(method, _NOBODY)

    @property
    def sides(self) -> frozenset[str]:
        """All roles of the sides that the page is for."""
        known = self.read | self.change
        return (CUSTOMER if known & CUSTOMER else _NOBODY) | (PROVIDER if known & PROVIDER else _NOBODY)


BEFORE_A_ROLE = ("login", "logout", "enrol", "invitation")
"""Pages of people whose role is not known yet."""

PAGES = {
    "overview": Rule(read=CUSTOMER | PROVIDER),
    "confirm": Rule(read=CUSTOMER | PROVIDER),
    "keys": Rule(read=CUSTOMER),
    "import": Rule(read=_OPERATORS),
    "key": Rule(read=CUSTOMER, change=_OPERATORS),
    "key-receipt": Rule(read=CUSTOMER, download=True),
    "key-evidence": Rule(read=CUSTOMER, download=True),
    "key-public": Rule(read=CUSTOMER, download=True),
    "key-check": Rule(read=_NOBODY, change=_OPERATORS),
    "partitions": Rule(read=CUSTOMER),
    "partition": Rule(read=CUSTOMER),
    "partition-request": Rule(read=_ADMINS),
    # No code: what these change is nothing until an owner or a security key signs it.
    "partition-access": Rule(read=_ADMINS, change=_ADMINS),
    "partition-access-sign": Rule(read=_NOBODY, change=_ADMINS),
    "partition-editors": Rule(read=_ADMINS, change=_ADMINS),
    "clients": Rule(read=CUSTOMER, change=_ADMINS),
    "client": Rule(read=CUSTOMER, change=_ADMINS, fresh_code=True),
    "client-remove": Rule(read=_NOBODY, change=_ADMINS, fresh_code=True),
    "client-limits": Rule(read=_NOBODY, change=_ADMINS),
    "token-rotate": Rule(read=_NOBODY, change=_ADMINS, fresh_code=True),
    "token-revoke": Rule(read=_NOBODY, change=_ADMINS, fresh_code=True),
    "devices": Rule(read=CUSTOMER),
    "device-remove": Rule(read=_NOBODY, change=_ADMINS, fresh_code=True),
    "callbacks": Rule(read=CUSTOMER, change=_ADMINS, fresh_code=True),
    "callback": Rule(read=CUSTOMER),
    "callback-secret": Rule(read=_NOBODY, change=_ADMINS, fresh_code=True),
    "callback-ping": Rule(read=_NOBODY, change=_OPERATORS),
    "callback-remove": Rule(read=_NOBODY, change=_ADMINS, fresh_code=True),
    "delivery-again": Rule(read=_NOBODY, change=_OPERATORS),
    "jobs": Rule(read=CUSTOMER),
    "job-cancel": Rule(read=_NOBODY, change=_OPERATORS, fresh_code=True),
    "usage": Rule(read=CUSTOMER),
    "members": Rule(read=CUSTOMER, change=_ADMINS, fresh_code=True),
    "member": Rule(read=CUSTOMER, change=_ADMINS, fresh_code=True),
    "member-remove": Rule(read=_NOBODY, change=_ADMINS, fresh_code=True),
    "invitation-withdraw": Rule(read=_NOBODY, change=_ADMINS),
    "log": Rule(read=CUSTOMER),
    "log-portal": Rule(read=CUSTOMER),
    "log-export": Rule(read=CUSTOMER, download=True),
    "log-verify": Rule(read=_NOBODY, change=CUSTOMER),
    "officer-overview": Rule(read=PROVIDER),
    "officer-tenants": Rule(read=PROVIDER, change=_PARTITION, fresh_code=True),
    "officer-tenant": Rule(read=PROVIDER),
    "officer-tenant-status": Rule(read=_NOBODY, change=_PARTITION, fresh_code=True),
    "officer-tenant-invite": Rule(read=_NOBODY, change=_PARTITION, fresh_code=True),
    "officer-devices": Rule(read=PROVIDER),
    "officer-officers": Rule(read=PROVIDER),
    "officer-work": Rule(read=PROVIDER),
    "officer-requests": Rule(read=PROVIDER),
    "officer-request-decline": Rule(read=_NOBODY, change=_PARTITION, fresh_code=True),
    "officer-actions": Rule(read=PROVIDER),
    "officer-action": Rule(read=PROVIDER),
    "officer-approve": Rule(read=_NOBODY, change=_PARTITION, fresh_code=True),
    "officer-security-keys": Rule(read=OFFICERS, change=_PARTITION),
    "officer-log": Rule(read=PROVIDER),
    "officer-log-portal": Rule(read=PROVIDER),
}


def may(role: str, page: str, method: str = "GET") -> bool:
    return role in PAGES[page].roles(method)


def changes_of(role: str) -> frozenset[str]:
    """The pages whose POST is this role's, by name."""
    return frozenset(name for name, rule in PAGES.items() if role in rule.change)


def reads_of(role: str) -> frozenset[str]:
    """The pages that this role may open, by name."""
    return frozenset(name for name, rule in PAGES.items() if role in rule.read)


def unknown_pages(names: list[str]) -> list[str]:
    """Of these names in the URL conf, those that are for nobody that is said."""
    return [name for name in names if name not in PAGES and name not in BEFORE_A_ROLE]
