"""What an operation's body and answer may hold, for the API's description: `bodies` reads and writes them."""

from rest_framework import serializers

from strongroom.protocol.instructions import MAX_ITEMS
from strongroom.protocol.mechanisms import Mechanism


class ParametersIn(serializers.Serializer):
    """Which apply is in docs/mechanisms.md. Bytes are standard base64; `target` is a key's name or id."""

    prehashed = serializers.BooleanField(required=False)
    signature = serializers.CharField(required=False, help_text="What to verify; of a batch each item has its own.")
    aad = serializers.CharField(
        required=False, help_text="Additional data, label, context or info, for all items of a batch."
    )
    format = serializers.ChoiceField(["raw"], required=False, help_text="r ‖ s instead of DER.")
    salt = serializers.CharField(required=False)
    length = serializers.IntegerField(required=False, help_text="Bytes to derive, 16 to 8160; else 32.")
    target = serializers.CharField(required=False)
    target_mechanism = serializers.CharField(required=False, help_text="As `mechanism`.")
    target_aad = serializers.CharField(required=False)
    generate = serializers.IntegerField(required=False, help_text="Bytes of a data key that is made, 16 to 64.")
    clear = serializers.BooleanField(required=False, help_text="The data key in clear too: for who may unwrap.")


class ItemIn(serializers.Serializer):
    payload = serializers.CharField(help_text="Standard base64 of at most 1 MiB.")
    signature = serializers.CharField(required=False)
    aad = serializers.CharField(required=False, help_text="Instead of that of the parameters.")


class OperationIn(serializers.Serializer):
    """`payload`, or the `items` of a batch. `callback`, of an asynchronous call: who is told when it has ended.

    With `instruction` (a signed statement) its mechanism, version and parameters count, and are not sent.
    """

    payload = serializers.CharField(required=False, help_text="Standard base64 of at most 1 MiB.")
    items = serializers.ListField(child=ItemIn(), required=False, min_length=1, max_length=MAX_ITEMS)
    mechanism = serializers.ChoiceField(list(Mechanism), required=False)
    version = serializers.IntegerField(required=False)
    parameters = ParametersIn(required=False)
    instruction = serializers.CharField(required=False)
    sealed = serializers.CharField(required=False, help_text="Instead of payload, items and parameters.")
    operations_key = serializers.CharField(required=False, help_text="What it is sealed to.")
    count = serializers.IntegerField(
        required=False, max_value=MAX_ITEMS, help_text="How many items are sealed inside, where it is a batch."
    )
    callback = serializers.CharField(required=False)


class ItemErrorOut(serializers.Serializer):
    code = serializers.CharField()
    detail = serializers.CharField()


class ItemOut(serializers.Serializer):
    """`error`, else `valid` after verify, else `result`."""

    result = serializers.CharField(required=False)
    clear = serializers.CharField(required=False, help_text="The data key itself, where it was asked for.")
    valid = serializers.BooleanField(required=False)
    error = ItemErrorOut(required=False)


class OperationOut(serializers.Serializer):
    """`results` of a batch, in the order of its items; else `valid` after verify, else `result`."""

    result = serializers.CharField(required=False)
    clear = serializers.CharField(required=False, help_text="The data key itself, where it was asked for.")
    valid = serializers.BooleanField(required=False)
    results = serializers.ListField(child=ItemOut(), required=False)
    key_id = serializers.CharField()
    version = serializers.IntegerField()
    target_version = serializers.IntegerField(help_text="Of the target: what the result is under.")
    mechanism = serializers.CharField()
    target_mechanism = serializers.CharField(help_text="By which the result was encrypted.")
    sealed = serializers.CharField(required=False, help_text="To a sealed request, instead of all results.")
    statement = serializers.CharField(required=False, help_text="The device's word on request and answer.")
