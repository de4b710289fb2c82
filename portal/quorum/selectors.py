"""Reads of officers and their actions: on the `provider` alias, as all of the officers' work."""

from django.db.models import QuerySet

from portal.quorum.models import ActionState, AdminAction, Approval, Decision, OfficerProfile, SupportProfile
from strongroom.protocol.action_table import Body, Credential, action_name
from strongroom.protocol.admin_actions import read_action
from strongroom.protocol.commands import (
    ListOfficers,
    ListOfficersReply,
    ListUnsealParts,
    ListUnsealPartsReply,
    Status,
    StatusReply,
)
from strongroom.protocol.errors import Refused
from tee.drivers import secure_module
from tenants.models import Partition, Tenant, User

ALIAS = "provider"


def officer_of(user: User) -> OfficerProfile | None:
    """The officer that `user` is, if any, and as long as a card is enrolled."""
    return OfficerProfile.objects.using(ALIAS).select_related("user").filter(user_id=user.pk, active=True).first()


def is_support(user: User) -> bool:
    """Whether `user` reads officers' pages without being one."""
    return SupportProfile.objects.using(ALIAS).filter(user_id=user.pk).exists()


def actions() -> QuerySet[AdminAction]:
    """All actions, newest first, with their requesters and approvals."""
    return (
        AdminAction.objects.using(ALIAS)
        .select_related("requester__user", "partition_request__tenant")
        .prefetch_related("approvals__officer__user")
    )


def get_action(action_id: int) -> AdminAction:
    """Raises `Refused("not-found")`."""
    action = actions().filter(pk=action_id).first()
    if action is None:
        raise Refused("not-found")
    return action


def approvals_of(action: AdminAction) -> list[str]:
    """The signed approvals, in the order in which they were given. Refusals are not among them: they never count."""
    answers = Approval.objects.using(ALIAS).filter(action_id=action.pk, decision=Decision.APPROVE)
    return list(answers.values_list("statement", flat=True))


def awaiting(officer: OfficerProfile) -> QuerySet[AdminAction]:
    """Open actions that this officer can still answer."""
    of_class = actions().filter(state=ActionState.OPEN, officer_class=officer.officer_class)
    return of_class.exclude(requester_id=officer.pk).exclude(approvals__officer_id=officer.pk)


def partition_requests() -> QuerySet[Partition]:
    """Requests that no officer quorum has answered yet."""
    return (
        Partition.objects.using(ALIAS)
        .select_related("tenant")
        .filter(status=Partition.Status.REQUESTED)
        .order_by("requested")
    )


def get_partition_request(request: str) -> Partition:
    """Raises `Refused("not-found")`, also for a request that is already answered."""
    found = partition_requests().filter(request=request).first()
    if found is None:
        raise Refused("not-found", "no open partition request of this id")
    return found


def partition_named(partition_id: str) -> Partition | None:
    """The row of a partition of the TEE's."""
    return Partition.objects.using(ALIAS).select_related("tenant").filter(partition_id=partition_id).first()


def partitions(**which: str) -> list[Partition]:
    """The partitions that were defined: of a `tenant` (by its slug), or one `partition`."""
    fields = {"tenant": "tenant__slug", "partition": "partition_id"}
    found = Partition.objects.using(ALIAS).select_related("tenant").exclude(partition_id=None)
    return list(found.filter(**{fields[name]: value for name, value in which.items()}))


def open_action_of(partition: Partition) -> AdminAction | None:
    return AdminAction.objects.using(ALIAS).filter(partition_request=partition, state=ActionState.OPEN).first()


def is_open(body: Body) -> bool:
    """Whether an action of just this body is open."""
    rows = AdminAction.objects.using(ALIAS).filter(name=action_name(body), state=ActionState.OPEN)
    return any(read_action(bytes(row.action)).body == body for row in rows)


def tenants() -> QuerySet[Tenant]:
    return Tenant.objects.using(ALIAS).order_by("slug")


def world() -> ListOfficersReply:
    """The world's officers and thresholds, as the TEE has them. Raises `Refused`: `hsm-sealed`, `hsm-unreachable`."""
    return secure_module().call(ListOfficers(), ListOfficersReply)


def cards_of(officer: OfficerProfile) -> list[Credential]:
    """An officer's enrolled cards and security keys. Raises `Refused`: `hsm-sealed`, `hsm-unreachable`."""
    known = (officer.name, officer.officer_class)
    return [one.credential for one in world().officers if (one.name, one.officer_class) == known]


def unseal_parts() -> ListUnsealPartsReply:
    """The parts of the newest change of officers, each sealed to its card. Raises `Refused("not-found")`: none yet."""
    return secure_module().call(ListUnsealParts(), ListUnsealPartsReply)


def device_status() -> StatusReply:
    """What the TEE says of itself; answered while it is sealed, too. Raises `Refused("hsm-unreachable")`."""
    return secure_module().call(Status(), StatusReply)
