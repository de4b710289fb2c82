"""Imports in tests: what a partition holds, what an envelope is answered, and envelopes under altered headers."""

from dataclasses import dataclass

import msgspec

from strongroom.protocol import commands as c
from strongroom.protocol import jws
from strongroom.protocol.envelope import Envelope, ImportHeader
from strongroom.protocol.errors import Refused
from strongroom.protocol.statements import Receipt
from strongroom.protocol.terms import Terms
from tests.support.sealed import Customer


@dataclass(frozen=True)
class Imported:
    """A key as it was imported, with its material outside the device."""

    receipt: Receipt
    material: bytes
    terms: Terms

    @property
    def id(self) -> str:
        return self.receipt.key_id


def listed(customer: Customer) -> list[tuple[str, str]]:
    """(receipt, state) of every version of every key."""
    command, found = c.ListKeys(partition=customer.partition), []
    while True:
        reply = customer.hsm.line().call(command, c.ListKeysReply)
        found += reply.keys
        if not reply.last:
            return found
        command = c.ListKeys(partition=customer.partition, after=reply.last)


def keys_of(customer: Customer) -> list[str]:
    return [receipt for receipt, _ in listed(customer)]


def states_of(customer: Customer, key: str) -> dict[int, str]:
    """The state of each version of a key, as the list tells it."""
    found = [(customer.receipt(receipt), state) for receipt, state in listed(customer)]
    return {receipt.version: state for receipt, state in found if receipt.key_id == key}


def code_of(customer: Customer, envelope: Envelope) -> str:
    try:
        customer.send(envelope)
    except Refused as error:
        return error.code
    return "ok"


def changed(envelope: Envelope, **changes: object) -> Envelope:
    return msgspec.structs.replace(envelope, **changes)


def resigned(customer: Customer, envelope: Envelope, **changes: object) -> Envelope:
    """The envelope under a header that the customer's own device signed anew."""
    header = msgspec.structs.replace(jws.read_unverified(envelope.header, ImportHeader), **changes)
    return changed(envelope, header=jws.sign(header, customer.device_key))
