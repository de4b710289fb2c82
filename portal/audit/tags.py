"""What can happen in the portal itself: `source:subject:action`, one word for each part."""

from enum import StrEnum


class EventTag(StrEnum):
    """Every event that the portal keeps. An event that is not here cannot be kept, so none goes by another name."""

    PERSON_SESSION_OPENED = "person:session:opened"
    PERSON_SESSION_CLOSED = "person:session:closed"
    PERSON_AUTHENTICATOR_CONFIRMED = "person:authenticator:confirmed"
    PERSON_INVITATION_MADE = "person:invitation:made"
    PERSON_INVITATION_WITHDRAWN = "person:invitation:withdrawn"
    PERSON_INVITATION_ACCEPTED = "person:invitation:accepted"
    PERSON_MEMBER_CHANGED = "person:member:changed"
    PERSON_MEMBER_REMOVED = "person:member:removed"
    PERSON_CLIENT_CREATED = "person:client:created"
    PERSON_CLIENT_REVOKED = "person:client:revoked"
    PERSON_CLIENT_LIMITED = "person:client:limited"
    PERSON_TOKEN_CREATED = "person:token:created"  # noqa: S105 - a tag, not a token
    PERSON_TOKEN_ROTATED = "person:token:rotated"  # noqa: S105
    PERSON_TOKEN_REVOKED = "person:token:revoked"  # noqa: S105
    PERSON_DEVICE_ENROLLED = "person:device:enrolled"
    PERSON_DEVICE_REMOVED = "person:device:removed"
    PERSON_CALLBACK_CREATED = "person:callback:created"
    PERSON_CALLBACK_SECRET_ROTATED = "person:callback:secret-rotated"  # noqa: S105
    PERSON_CALLBACK_REMOVED = "person:callback:removed"
    PERSON_KEY_TRIED = "person:key:tried"
    PERSON_PARTITION_REQUESTED = "person:partition:requested"
    CUSTOMER_PARTITION_KEPT = "customer:partition:kept"
    CUSTOMER_IMPORT_COMPLETED = "customer:import:completed"
    CUSTOMER_IMPORT_FAILED = "customer:import:failed"
    CUSTOMER_ACCESS_CHANGED = "customer:access:changed"
    CUSTOMER_SINGLE_USE_KEY_MADE = "customer:single-use-key:made"
    CUSTOMER_KEY_DESTROYED = "customer:key:destroyed"
    CUSTOMER_KEY_REVOKED = "customer:key:revoked"
    CUSTOMER_KEY_MINIMUM_SET = "customer:key:minimum-set"
    PROVIDER_TENANT_OPENED = "provider:tenant:opened"
    PROVIDER_TENANT_SUSPENDED = "provider:tenant:suspended"
    PROVIDER_TENANT_RESUMED = "provider:tenant:resumed"
    PROVIDER_TENANT_CLOSED = "provider:tenant:closed"
    PROVIDER_ENGINE_KEY_MADE = "provider:engine-key:made"
    OFFICER_ACTION_OPENED = "officer:action:opened"
    OFFICER_ACTION_WITHDRAWN = "officer:action:withdrawn"
    OFFICER_APPROVAL_GIVEN = "officer:approval:given"
    OFFICER_APPROVAL_DECLINED = "officer:approval:declined"
    OFFICER_UNSEAL_PART_GIVEN = "officer:unseal-part:given"
    DEVICE_ACTION_EXECUTED = "device:action:executed"
    DEVICE_ACTION_REFUSED = "device:action:refused"
    DEVICE_PARTITION_DESTROYED = "device:partition:destroyed"
    DEVICE_KEY_REVOKED = "device:key:revoked"
    DEVICE_KEY_SUSPENDED = "device:key:suspended"
    DEVICE_KEY_RESUMED = "device:key:resumed"
    DEVICE_KEY_EXPIRED = "device:key:expired"
