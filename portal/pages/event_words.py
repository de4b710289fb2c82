"""The portal's events in words, by what they are about: as the logs' pages show them and have them looked for."""

from portal.audit.tags import EventTag as Tag
from portal.pages.log_filter import ANY

GROUPS: dict[str, dict[Tag, str]] = {
    "People": {
        Tag.PERSON_SESSION_OPENED: "logged in",
        Tag.PERSON_SESSION_CLOSED: "logged out",
        Tag.PERSON_AUTHENTICATOR_CONFIRMED: "set up an authenticator",
        Tag.PERSON_INVITATION_MADE: "invited somebody",
        Tag.PERSON_INVITATION_WITHDRAWN: "withdrew an invitation",
        Tag.PERSON_INVITATION_ACCEPTED: "accepted an invitation",
        Tag.PERSON_MEMBER_CHANGED: "gave somebody another role",
        Tag.PERSON_MEMBER_REMOVED: "removed somebody",
    },
    "API clients and tokens": {
        Tag.PERSON_CLIENT_CREATED: "made an API client",
        Tag.PERSON_CLIENT_REVOKED: "removed an API client",
        Tag.PERSON_CLIENT_LIMITED: "set limits of an API client",
        Tag.PERSON_TOKEN_CREATED: "made a token",
        Tag.PERSON_TOKEN_ROTATED: "rotated a token",
        Tag.PERSON_TOKEN_REVOKED: "revoked a token",
    },
    "Client devices": {
        Tag.PERSON_DEVICE_ENROLLED: "enrolled a device",
        Tag.PERSON_DEVICE_REMOVED: "removed a device",
    },
    "Callbacks": {
        Tag.PERSON_CALLBACK_CREATED: "made a callback",
        Tag.PERSON_CALLBACK_SECRET_ROTATED: "rotated a callback's secret",
        Tag.PERSON_CALLBACK_REMOVED: "removed a callback",
    },
    "Imports": {
        Tag.CUSTOMER_IMPORT_COMPLETED: "imported a key",
        Tag.CUSTOMER_IMPORT_FAILED: "an import was refused",
    },
    "Keys": {
        Tag.PERSON_KEY_TRIED: "tried a key on its page",
        Tag.CUSTOMER_SINGLE_USE_KEY_MADE: "a single-use key was made",
        Tag.CUSTOMER_KEY_MINIMUM_SET: "set a key's oldest usable version",
        Tag.CUSTOMER_KEY_DESTROYED: "destroyed a key",
        Tag.CUSTOMER_KEY_REVOKED: "the owner revoked a key",
        Tag.DEVICE_KEY_REVOKED: "the device revoked a key",
        Tag.DEVICE_KEY_SUSPENDED: "the device suspended a key",
        Tag.DEVICE_KEY_RESUMED: "the device resumed a key",
        Tag.DEVICE_KEY_EXPIRED: "a key's validity ended",
    },
    "Partitions and their access lists": {
        Tag.PERSON_PARTITION_REQUESTED: "asked for a partition",
        Tag.PROVIDER_PARTITION_DECLINED: "declined a partition that was asked for",
        Tag.CUSTOMER_PARTITION_KEPT: "cancelled a destruction",
        Tag.DEVICE_PARTITION_DESTROYED: "a partition was destroyed",
        Tag.CUSTOMER_ACCESS_CHANGED: "changed an access list",
    },
    "Tenants": {
        Tag.PROVIDER_TENANT_OPENED: "opened a tenant",
        Tag.PROVIDER_TENANT_SUSPENDED: "suspended a tenant",
        Tag.PROVIDER_TENANT_RESUMED: "resumed a tenant",
        Tag.PROVIDER_TENANT_CLOSED: "closed a tenant",
    },
    "The provider's officers": {
        Tag.OFFICER_ACTION_OPENED: "asked for an action",
        Tag.OFFICER_ACTION_WITHDRAWN: "withdrew an action",
        Tag.OFFICER_APPROVAL_GIVEN: "approved an action",
        Tag.OFFICER_APPROVAL_DECLINED: "declined an action",
        Tag.OFFICER_UNSEAL_PART_GIVEN: "gave an unseal part",
        Tag.DEVICE_ACTION_EXECUTED: "an action was carried out",
        Tag.DEVICE_ACTION_REFUSED: "an action was refused",
    },
    "The provider's keys": {
        Tag.PROVIDER_ENGINE_KEY_MADE: "made a key of the engine",
    },
}

WORDS: dict[str, str] = {tag.value: words for group in GROUPS.values() for tag, words in group.items()}

CHOICES = [
    ANY,
    *(
        (about, [(tag.value, f"{words} ({tag.value})") for tag, words in group.items()])
        for about, group in GROUPS.items()
    ),
]
"""Of a field: each event under what it is about."""
