"""From a bearer token, or a person's session in a browser, to whoever it speaks for."""

from dataclasses import dataclass

from django.utils import timezone
from knox.auth import TokenAuthentication
from knox.crypto import hash_token
from knox.models import AuthToken
from rest_framework.authentication import SessionAuthentication
from rest_framework.request import Request

from strongroom.protocol.errors import Refused
from tenants.models import Membership, Tenant, User
from tenants.quotas import Quota, quota_of_member

SUSPENDED = "The token's organisation is suspended by the provider. Ask there why; the token serves again afterwards."


@dataclass(frozen=True)
class Caller:
    """Who makes a request. `tenant` and `role` are None for a provider's officer; `client_id` is empty for people.

    `token` is None for a person at a page.
    """

    user: User
    token: AuthToken | None
    tenant: Tenant | None
    role: str | None
    quota: Quota | None = None
    """What a tenant's caller may ask; officers are under none."""

    @property
    def client_id(self) -> str:
        return self.user.username if self.user.kind == User.Kind.SERVICE else ""

    @property
    def client_user(self) -> User | None:
        """The user, if it is an API client's: what it may touch is then its own."""
        return self.user if self.client_id else None

    @property
    def token_digest(self) -> str:
        return str(self.token.digest) if self.token else ""


class BearerToken(TokenAuthentication):
    """Knox's scheme, but that an expired token is told from an unknown one; `request.auth` is the `Caller`.

    Tokens are stored as SHA-512 digests of 256 random bits, so they are looked up by digest.
    """

    def authenticate_credentials(self, token: bytes) -> tuple[User, Caller]:
        """Raises `Refused`: `unauthenticated`, `token-expired`."""
        # 1. The token is one of ours and in time.
        try:
            digest = hash_token(token.decode("ascii"))
        except UnicodeDecodeError:
            raise Refused("unauthenticated") from None
        known = AuthToken.objects.select_related("user__membership__tenant").filter(digest=digest).first()
        if known is None or not known.user.is_active:
            raise Refused("unauthenticated")
        if known.expiry is not None and known.expiry <= timezone.now():
            raise Refused("token-expired")
        return known.user, _caller(known.user, known)


class PersonAtAPage(SessionAuthentication):
    """Someone who is logged in to the pages with a one-time code. Every request that changes anything shows the page's
    CSRF token, as a form does."""

    def authenticate(self, request: Request) -> tuple[User, Caller] | None:
        """None where nobody is logged in so. Raises `Refused("unauthenticated")`, and DRF's `PermissionDenied`."""
        user = getattr(request._request, "user", None)
        if not isinstance(user, User) or not user.is_active or not user.is_verified():  # type: ignore[attr-defined]  # OTPMiddleware's
            return None
        self.enforce_csrf(request)
        return user, _caller(user, None)


def _caller(user: User, token: AuthToken | None) -> Caller:
    """Raises `Refused("unauthenticated")` for a user whose tenant may not use the service."""
    membership: Membership | None = getattr(user, "membership", None)
    if membership is None:
        return Caller(user, token, None, None)
    if membership.tenant.status != Tenant.Status.ACTIVE:
        raise Refused("unauthenticated", SUSPENDED if membership.tenant.status == Tenant.Status.SUSPENDED else "")
    return Caller(user, token, membership.tenant, membership.role, quota_of_member(membership))
