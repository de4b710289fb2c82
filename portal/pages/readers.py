"""Who reads a page, and as what."""

from dataclasses import dataclass

from portal.pages.roles import PROVIDER, SUPPORT
from portal.quorum.models import OfficerProfile
from portal.quorum.selectors import is_support, officer_of
from tenants.models import Tenant, User
from tenants.selectors import membership_of


@dataclass(frozen=True)
class Reader:
    """Who reads a page, as what (`role`, one of `portal.pages.roles.ROLES`).

    `tenant` is None for people of the provider; `officer` is None but for its officers.
    """

    user: User
    tenant: Tenant | None
    role: str
    officer: OfficerProfile | None

    @property
    def is_of_provider(self) -> bool:
        return self.role in PROVIDER


def reader_of(user: User) -> Reader | None:
    """The reader that a user is; None for one who is neither of an active tenant nor of the provider."""
    membership = membership_of(user)
    if membership is not None:
        return None if tenant_kept_out(user) else Reader(user, membership.tenant, membership.role, None)
    officer = officer_of(user)
    if officer is not None:
        return Reader(user, None, officer.officer_class, officer)
    return Reader(user, None, SUPPORT, None) if is_support(user) else None


def tenant_kept_out(user: User) -> Tenant | None:
    """The user's tenant, where it is suspended or closed."""
    membership = membership_of(user)
    return membership.tenant if membership and membership.tenant.status != Tenant.Status.ACTIVE else None
