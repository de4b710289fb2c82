"""From a bearer token to whoever it speaks for."""

from dataclasses import dataclass

from django.utils import timezone
from knox.auth import TokenAuthentication
from knox.crypto import hash_token
from knox.models import AuthToken

from strongroom.protocol.errors import Refused
from tenants.models import Membership, Tenant, User
from tenants.quotas import Quota, quota_of_member


@dataclass(frozen=True)
class Caller:
    """Who makes a request. `tenant` and `role` are None for a provider's officer; `client_id` is empty for people."""

    user: User
    token: AuthToken
    tenant: Tenant | None
    role: str | None
    quota: Quota | None = None
    """What a tenant's caller may ask; officers are under none."""

    @property
    def client_id(self) -> str:
        return self.user.username if self.user.kind == User.Kind.SERVICE else ""


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
        # 2. Its user is of a tenant that may use the service, or of none (officers).
        membership: Membership | None = getattr(known.user, "membership", None)
        if membership is None:
            return known.user, Caller(known.user, known, None, None)
        if membership.tenant.status != Tenant.Status.ACTIVE:
            raise Refused("unauthenticated")
        return known.user, Caller(known.user, known, membership.tenant, membership.role, quota_of_member(membership))
