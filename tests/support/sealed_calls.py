"""A customer's sealed operations with a device in tests: sealed, sent, checked and opened as the client does it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from strongroom.protocol import certificates, jws
from strongroom.protocol.encoding import digest
from strongroom.protocol.instructions import SEALED, Item, Parameters
from strongroom.protocol.operations import OperationReply, OperationRequest
from strongroom.protocol.sealed import (
    Binding,
    OperationResult,
    SealedContent,
    SealedReply,
    check_result,
    new_reply_key,
    open_reply,
    seal_content,
)
from strongroom.protocol.sealing import RecipientPublicKey
from strongroom.protocol.statements import Endorsement
from tests.support.hardware import now
from tests.support.sealed import Customer


def operations_key(customer: Customer) -> Endorsement:
    """The device's operations key, its endorsement verified."""
    [token] = customer.published.operations_keys
    endorsement, certified = certificates.verify_statement(
        token, Endorsement, [customer.hsm.factory.root], "device", now()
    )
    assert (endorsement.purpose, endorsement.device) == ("operations-key", certified.device_id)
    assert RecipientPublicKey.from_text(endorsement.public_key).key_id("ok_") == endorsement.key_id
    return endorsement


@dataclass
class SealedCall:
    """One request of a customer, sealed. `signed`: under an instruction, with `stated` in it instead of the usual."""

    customer: Customer
    key: str
    operation: str
    mechanism: str
    payload: bytes = b""
    parameters: Parameters = field(default_factory=Parameters)
    items: list[Item] | None = None
    signed: bool = False
    stated: dict[str, Any] = field(default_factory=dict)
    bound: dict[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        key = operations_key(self.customer)
        binding = Binding(
            device=key.device,
            operations_key=key.key_id,
            partition=self.customer.partition,
            key=self.key,
            version=1,
            operation=self.operation,
            mechanism=self.mechanism,
        )
        self.binding: Binding = msgspec.structs.replace(binding, **self.bound)
        self.reply_key = new_reply_key()
        content = SealedContent(self.reply_key, self.payload, self.parameters, self.items)
        self.sealed = seal_content(RecipientPublicKey.from_text(key.public_key), self.binding, content)
        self.request: OperationRequest = self.customer.request(
            self.key,
            self.operation,
            b"",
            version=1,
            mechanism=self.mechanism,
            sealed=self.sealed,
            operations_key=key.key_id,
            count=len(self.items or ()),
        )
        if self.signed:
            token = jws.sign(self.instruction(), self.customer.device_key)
            self.request = msgspec.structs.replace(self.request, instruction=token, principal="")

    def instruction(self) -> Any:
        stated = {"recipient": SEALED} | self.stated
        return self.customer.instruction(self.key, self.operation, self.sealed, self.mechanism, **stated)

    def send(self, **changes: Any) -> OperationReply:
        return self.customer.operations.operate(msgspec.structs.replace(self.request, **changes))

    def check(self, reply: OperationReply) -> OperationResult:
        """The device's statement about this request and this reply."""
        roots = [self.customer.hsm.factory.root]
        return check_result(reply.statement, roots, now(), binding=self.binding, sealed=self.sealed, reply=reply.sealed)

    def open(self, reply: OperationReply) -> SealedReply:
        """What is in the reply, if the device vouches for it. Nothing of it stands outside."""
        assert (reply.code, reply.detail) == ("", "")
        assert (reply.result, reply.results, reply.errors) == (b"", [], {})
        self.check(reply)
        return open_reply(self.reply_key, digest(self.sealed), reply.sealed)

    def result(self) -> bytes:
        """Sent, checked and opened."""
        return self.open(self.send()).result
