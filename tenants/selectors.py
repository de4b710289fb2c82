"""Reads of tenants and what is theirs. Functions named `find_…` need a `tenant_scope` around them; others open one."""

from datetime import datetime

from django.db.models import F, OuterRef, Q, Subquery
from django.utils import timezone
from knox.models import AuthToken

from strongroom.protocol.errors import Refused
from tenants.models import ApiClient, ClientDevice, Membership, Partition, Role, Tenant, User
from tenants.scoping import tenant_scope


def membership_of(user: User) -> Membership | None:
    return Membership.objects.select_related("tenant").filter(user=user).first()


def check_still_stands(*, tenant: Tenant, user: User, token_digest: str) -> None:
    """That what an API client asked for earlier may be done now.

    Raises `Refused("forbidden")` where the tenant is suspended, the client was removed, or the token was revoked or has
    expired.
    """
    if tenant.status != Tenant.Status.ACTIVE:
        raise Refused("forbidden", "the tenant was suspended since it was asked for")
    if not user.is_active:
        raise Refused("forbidden", "the API client that asked for it was removed")
    token = AuthToken.objects.filter(digest=token_digest, user=user).first()
    if token is None:
        raise Refused("forbidden", "the token that asked for it was revoked: ask again with another")
    if token.expiry is not None and token.expiry <= timezone.now():
        raise Refused("forbidden", "the token that asked for it has expired: ask again with another")


def clients(*, tenant: Tenant) -> list[ApiClient]:
    """The tenant's active API clients, oldest first."""
    with tenant_scope(tenant):
        return list(ApiClient.objects.filter(tenant=tenant, status=ApiClient.Status.ACTIVE))


def client_names(*, tenant: Tenant) -> dict[str, str]:
    """Name by id of all API clients, of removed ones too: what they did stays on record."""
    with tenant_scope(tenant):
        return dict(ApiClient.objects.filter(tenant=tenant).values_list("client_id", "name"))


def last_expiries(*, tenant: Tenant) -> dict[int, datetime]:
    """By its service user when an API client's last token ends. One that never ends, or none at all, is left out."""
    found = AuthToken.objects.filter(user__membership__tenant=tenant, user__kind=User.Kind.SERVICE)
    ends: dict[int, datetime] = {}
    for user, expiry in found.values_list("user", "expiry"):
        if expiry is not None and (user not in ends or expiry > ends[user]):
            ends[user] = expiry
    return ends


def limits_of(client: ApiClient) -> tuple[int | None, int | None]:
    """An API client's own limits of requests and of items in a minute."""
    own = Membership.objects.get(user_id=client.user_id)
    return own.requests_a_minute, own.items_a_minute


def limited_clients(*, tenant: Tenant) -> list[tuple[ApiClient, Membership]]:
    """The active API clients that have limits of their own, with these."""
    limits = Membership.objects.filter(tenant=tenant, role=Role.CLIENT)
    own = limits.filter(Q(requests_a_minute__isnull=False) | Q(items_a_minute__isnull=False))
    by_user = {one.user_id: one for one in own}
    return [(one, by_user[one.user_id]) for one in clients(tenant=tenant) if one.user_id in by_user]


def clients_running_out(*, tenant: Tenant, by: datetime) -> list[tuple[ApiClient, datetime]]:
    """Active clients whose last token expires by then, or has; the first to expire first."""
    with tenant_scope(tenant):
        of_tenant = ApiClient.objects.filter(tenant=tenant, status=ApiClient.Status.ACTIVE)
        newest = AuthToken.objects.filter(user=OuterRef("user")).order_by(F("expiry").desc(nulls_first=True))
        found = of_tenant.annotate(last=Subquery(newest.values("expiry")[:1])).filter(last__lte=by)
        return [(one, one.last) for one in found.order_by("last")]


def devices(*, tenant: Tenant) -> list[ClientDevice]:
    """The tenant's enrolled client devices, oldest first."""
    with tenant_scope(tenant):
        return list(ClientDevice.objects.filter(tenant=tenant, status=ClientDevice.Status.ENROLLED))


def partitions(*, tenant: Tenant) -> list[Partition]:
    """The tenant's partitions, requested ones too, oldest first."""
    with tenant_scope(tenant):
        return list(Partition.objects.filter(tenant=tenant))


def partition(*, tenant: Tenant, reference: str) -> Partition:
    """One partition, by its id or its request's. Raises `Refused("not-found")`."""
    with tenant_scope(tenant):
        return find_partition(tenant=tenant, reference=reference)


def find_partition(*, tenant: Tenant, reference: str) -> Partition:
    field = "request" if reference.startswith("rq_") else "partition_id"
    found = Partition.objects.filter(tenant=tenant, **{field: reference}).first()
    if found is None:
        raise Refused("not-found")
    return found


def defined_partition(*, tenant: Tenant, partition_id: str) -> Partition:
    """A partition that exists in the TEE, or did until it was destroyed. Raises `Refused("not-found")`."""
    with tenant_scope(tenant):
        return find_defined_partition(tenant=tenant, partition_id=partition_id)


def find_defined_partition(*, tenant: Tenant, partition_id: str) -> Partition:
    found = find_partition(tenant=tenant, reference=partition_id)
    if found.partition_id is None:
        raise Refused("not-found", "the partition is not defined yet")
    return found


def only_partition(*, tenant: Tenant) -> str:
    """The id of the tenant's one defined partition. Raises `Refused`: `not-found` for none, `conflict` for several."""
    defined = [one for one in partitions(tenant=tenant) if one.status == Partition.Status.DEFINED]
    if not defined:
        raise Refused("not-found", "no partition is defined yet")
    if len(defined) > 1:
        raise Refused("conflict", "there are several partitions: name one")
    return defined[0].partition_id or ""


def find_client(*, tenant: Tenant, client_id: str) -> ApiClient:
    found = (
        ApiClient.objects.select_related("user")
        .filter(tenant=tenant, client_id=client_id, status=ApiClient.Status.ACTIVE)
        .first()
    )
    if found is None:
        raise Refused("not-found")
    return found


def client_name(user: User, tenant: Tenant | None) -> str:
    """The name that the tenant gave the API client of this service user."""
    if tenant is None:
        return user.username
    with tenant_scope(tenant):
        return find_client(tenant=tenant, client_id=user.username).name
