"""Bodies of this package's part of the REST interface."""

import base64
import binascii
from typing import Any, get_args, get_type_hints

from rest_framework import serializers
from rest_framework.fields import empty

from strongroom.protocol.commands import MOST_RANDOM, VersionStatus
from strongroom.protocol.suites import SUITES
from tee.models import EngineKey, Import, PublishedStatus
from tee.public_keys import MEDIA_TYPES
from tenants.api.base import CredentialField

NONCE = r"^[!-~]{16,128}\Z"


class Base64Field(serializers.CharField):
    """Standard base64."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(trim_whitespace=False, **kwargs)

    def run_validation(self, data: Any = empty) -> Any:
        """A blank passes CharField by before it is decoded."""
        found = super().run_validation(data)
        return b"" if found == "" else found

    def to_internal_value(self, data: Any) -> bytes:  # type: ignore[override]
        try:
            return base64.b64decode(super().to_internal_value(data), validate=True)
        except (binascii.Error, ValueError):
            raise serializers.ValidationError("Not base64.") from None


class DeviceTrust(serializers.Serializer):
    device = serializers.CharField()
    world = serializers.CharField()
    mode = serializers.ChoiceField(["production", "development"])
    certificate = serializers.CharField()
    vendor_keys = serializers.ListField(child=serializers.CharField())
    provider_keys = serializers.ListField(child=serializers.CharField())
    operations_keys = serializers.ListField(child=serializers.CharField())


class EngineKeyTrust(serializers.Serializer):
    """A provider key in the custody of the provider's engine. Times are unix seconds, as in signed statements."""

    key_id = serializers.CharField()
    suite = serializers.ChoiceField(SUITES)
    public_key = serializers.CharField(help_text="Base64url of its raw bytes.")
    status = serializers.ChoiceField(PublishedStatus.choices)
    not_before = serializers.SerializerMethodField()
    not_after = serializers.SerializerMethodField()

    def get_not_before(self, key: EngineKey) -> int:
        return int(key.not_before.timestamp())

    def get_not_after(self, key: EngineKey) -> int | None:
        return int(key.not_after.timestamp()) if key.not_after else None


class TrustOut(serializers.Serializer):
    provider = serializers.CharField()
    world = serializers.CharField()
    devices = DeviceTrust(many=True)
    engine_keys = EngineKeyTrust(many=True)


class ValidationIn(serializers.Serializer):
    nonce = serializers.RegexField(NONCE)
    key_id = serializers.RegexField(r"^[!-~]{1,64}\Z")


class ManufacturersValidationIn(ValidationIn):
    mode = serializers.ChoiceField(["production", "development"], help_text="Of the device's certificate.")


class ValidationOut(serializers.Serializer):
    statement = serializers.CharField()


class NonceIn(serializers.Serializer):
    nonce = serializers.RegexField(NONCE)


class AttestationOut(serializers.Serializer):
    attestation = serializers.CharField()


class AccessIn(serializers.Serializer):
    document = serializers.CharField(max_length=400_000)


class AccessOut(serializers.Serializer):
    version = serializers.IntegerField()
    document = serializers.CharField(allow_blank=True)
    owners = serializers.ListField(child=CredentialField())


class ImportIn(serializers.Serializer):
    partition = serializers.CharField(max_length=64)
    header = serializers.CharField(trim_whitespace=False)
    material = Base64Field(allow_blank=True, help_text="Empty where the header's origin is not `imported`.")
    terms = Base64Field()
    consent = serializers.CharField(
        trim_whitespace=False,
        max_length=16_384,
        required=False,
        allow_blank=True,
        default="",
        help_text="The owner's signed VersionConsent: for a new version with looser terms only.",
    )


class ImportOut(serializers.Serializer):
    import_id = serializers.CharField()
    status = serializers.ChoiceField(Import.Status.choices)
    receipt = serializers.CharField(allow_null=True)
    code = serializers.CharField(allow_null=True)
    key_id = serializers.CharField(allow_null=True)
    name = serializers.CharField(allow_null=True)


class KeyOut(serializers.Serializer):
    key_id = serializers.CharField()
    name = serializers.CharField()
    version = serializers.IntegerField()
    minimum_version = serializers.IntegerField(help_text="Versions below it refuse every operation.")
    key_type = serializers.CharField()
    state = serializers.CharField(source="standing")
    partition = serializers.CharField(source="partition.partition_id")
    created = serializers.DateTimeField()
    public_key = serializers.CharField()
    check_value = serializers.CharField()


class RevocationVersionOut(serializers.Serializer):
    version = serializers.IntegerField()
    state = serializers.ChoiceField(get_args(get_type_hints(VersionStatus)["state"]))
    answer = serializers.CharField(allow_blank=True, help_text="The last valid one: active, suspended or unknown.")
    answered_at = serializers.IntegerField(allow_null=True, help_text="When that came, in unix seconds.")
    last_check = serializers.IntegerField(allow_null=True, help_text="When the last call ended, in unix seconds.")
    failure = serializers.CharField(
        allow_blank=True, help_text="What went wrong with the last call; empty where it brought the answer."
    )
    next_check = serializers.IntegerField(allow_null=True, help_text="Unix seconds.")
    why = serializers.CharField(allow_blank=True, help_text="Why it is suspended, or the reason for its revocation.")
    revoked_by = serializers.CharField(
        allow_blank=True, help_text="On whose word: owner (a signed order), endpoint, ocsp or crl."
    )
    revoked_at = serializers.IntegerField(allow_null=True, help_text="Unix seconds.")
    checks = serializers.IntegerField(help_text="Questions asked since the device's start.")
    seconds = serializers.FloatField(help_text="What the last one took, until it was applied.")


class RevocationOut(serializers.Serializer):
    versions = RevocationVersionOut(many=True)


class ReceiptOut(serializers.Serializer):
    receipt = serializers.CharField()


class VersionIn(serializers.Serializer):
    """In the query. 0: the newest."""

    version = serializers.IntegerField(min_value=0, max_value=2**31 - 1, default=0)


class PublicKeyIn(VersionIn):
    """In the query."""

    format = serializers.ChoiceField(list(MEDIA_TYPES), default="pem")


class VersionOut(serializers.Serializer):
    version = serializers.IntegerField()
    state = serializers.CharField()
    created = serializers.DateTimeField()
    receipt = serializers.CharField()


class OrderIn(serializers.Serializer):
    order = serializers.CharField(trim_whitespace=False, max_length=16_384, help_text="The owner's signed KeyOrder.")


class OrderOut(serializers.Serializer):
    states = serializers.DictField(child=serializers.CharField(), help_text="State of each version afterwards.")


class SingleUseKeyIn(serializers.Serializer):
    import_id = serializers.RegexField(r"^imp_[a-z2-7]{32}\Z")
    owner = serializers.RegexField(r"^[A-Za-z0-9_-]{43}\Z", help_text="Fingerprint of an owner of the partition.")


class SingleUseKeyOut(serializers.Serializer):
    endorsement = serializers.CharField()


class RandomIn(serializers.Serializer):
    length = serializers.IntegerField(min_value=1, max_value=MOST_RANDOM)
    partition = serializers.CharField(max_length=64, required=False, default="", allow_blank=True)


class RandomOut(serializers.Serializer):
    bytes = Base64Field()
    partition = serializers.CharField()


class SessionOut(serializers.Serializer):
    session = serializers.CharField()
    device = serializers.CharField()
