"""Instructions: one request for an operation, signed by a client device where the key's terms ask for that."""

from typing import ClassVar, Literal

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from strongroom.protocol import jws
from strongroom.protocol.encoding import digest
from strongroom.protocol.errors import Refused
from strongroom.protocol.mechanisms import Usage

MAX_PAYLOAD = 1024 * 1024


class Parameters(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True, kw_only=True):
    """Parameters of the mechanisms; bytes are base64url. Which apply is the registry's matter.

    `prehashed`: the payload is the message's digest (sign, verify). `signature`: what to verify. `aad`: additional
    authenticated data (AES-GCM) or label (OAEP). `target`, `target_mechanism`, `target_aad`: where translate goes.
    """

    prehashed: bool = False
    signature: str = ""
    aad: str = ""
    target: str = ""
    target_mechanism: str = ""
    target_aad: str = ""


class Instruction(jws.Statement, frozen=True, kw_only=True):
    """What a client device signs. `session` is the device's session, in which a nonce serves once.

    `device` and `partition`: the TEE insists on the partition always, on the device where it is named.
    """

    TYP: ClassVar[str] = "strongroom.instruction"

    v: Literal[1] = 1
    partition: str
    key: str
    version: int
    operation: Usage
    mechanism: str
    parameters: Parameters
    payload_digest: str
    recipient: str = ""
    device: str = ""
    nonce: str
    session: str


def check_instruction(
    token: str, key: Ed25519PublicKey, *, payload: bytes, partition: str, key_id: str, operation: str, device: str
) -> Instruction:
    """The instruction, if `key` signed it for exactly this request. Session and nonce are the caller's to check.

    Raises `Refused`: `signature-invalid`, `statement-malformed`, `instruction-mismatch`.
    """
    instruction = jws.verify(token, Instruction, key)
    if (instruction.partition, instruction.key, instruction.operation) != (partition, key_id, operation):
        raise Refused("instruction-mismatch", "signed for another partition, key or operation")
    if instruction.device not in ("", device):
        raise Refused("instruction-mismatch", "signed for another device")
    if instruction.payload_digest != digest(payload):
        raise Refused("instruction-mismatch", "signed for another payload")
    return instruction
