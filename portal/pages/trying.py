"""Trying a key on its page: as one of the tenant's API clients, on record by the name of whoever tries it, too."""

from dataclasses import dataclass

from strongroom.protocol.access import Principal, client_principal
from strongroom.protocol.errors import Refused
from strongroom.protocol.mechanisms import Usage
from strongroom.protocol.operations import OperationReply, OperationRequest
from tee.drivers import secure_module
from tee.models import Key
from tenants.models import ApiClient, Tenant
from tenants.quotas import quota_of_member
from tenants.scoping import tenant_scope
from tenants.selectors import clients, find_client, membership_of
from tenants.signals import emit

MOST = 4096
"""Characters of a text that is tried."""


@dataclass(frozen=True)
class Trial:
    """What can be tried with a key: `operation` (None: nothing by a payload alone), and the clients with that right.

    `unlisted` are the tenant's other clients, which the owner could give it.
    """

    operation: Usage | None
    able: list[ApiClient]
    unlisted: list[ApiClient]


def trial(*, tenant: Tenant, operation: Usage | None, listed: list[Principal]) -> Trial:
    """`listed`: the access list of the key's partition."""
    holders = {one.principal for one in listed if operation in one.rights}
    able: list[ApiClient] = []
    unlisted: list[ApiClient] = []
    for one in clients(tenant=tenant):
        (able if client_principal(one.client_id) in holders else unlisted).append(one)
    return Trial(operation, able, unlisted)


def try_key(*, tenant: Tenant, key: Key, operation: Usage, client_id: str, text: str, actor: str) -> OperationReply:
    """Have the device do it as that API client, within its limits; on record by the name of `actor` too.

    Raises `Refused`: `not-found` for a client, `quota-exceeded`, and what the device says, which decides.
    """
    # 1. The client is the tenant's, and within its limits.
    with tenant_scope(tenant):
        client = find_client(tenant=tenant, client_id=client_id)
    membership = membership_of(client.user)
    if membership is not None:
        quota_of_member(membership).spend(requests=1, items=1)
    # 2. Who asks for it is on record before it is done.
    with tenant_scope(tenant):
        emit(tag="person:key:tried", tenant=tenant, actor=actor, key=key.key_id, operation=operation, client=client_id)
    # 3. The device decides, does it, and has it in its log under the client's name.
    reply = secure_module().operate(
        OperationRequest(
            principal=client_principal(client_id),
            partition=key.partition.partition_id or "",
            key=key.key_id,
            version=0,
            operation=operation,
            mechanism="",
            payload=text.encode(),
        )
    )
    if reply.code:
        raise Refused(reply.code, reply.detail)
    return reply
