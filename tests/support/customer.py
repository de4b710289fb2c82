"""A customer of a sealed process in tests: owner, client device, API client and a partition of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom.protocol import access, certificates, commands, jws, suites
from strongroom.protocol.credentials import public_credential
from strongroom.protocol.encoding import digest, make_id
from strongroom.protocol.envelope import Envelope, Wrapping, wrap
from strongroom.protocol.instructions import Instruction, Item, Parameters, batch_digest
from strongroom.protocol.operations import OperationReply, OperationRequest
from strongroom.protocol.owner_orders import KeyOrder
from strongroom.protocol.statements import Endorsement, Receipt
from strongroom.protocol.terms import Terms
from tests.support.hardware import nonce, now

if TYPE_CHECKING:
    from tests.support.sealed import SealedDevice

OPERATIONS = ["sign", "verify", "encrypt", "decrypt", "hash", "translate", "derive", "wrap", "unwrap"]


class Customer:
    """A tenant with an owner, a client device and a partition whose access list names device and API client."""

    def __init__(self, device: SealedDevice, tenant: str) -> None:
        self.hsm = device
        self.tenant = tenant
        self.owner = Ed25519PrivateKey.generate()
        self.device_key = Ed25519PrivateKey.generate()
        self.client = access.client_principal(make_id("cl_"))
        self.partition = device.define_partition(public_credential(self.owner), tenant)
        self.document: str | None = None
        self.version = 0
        self.operations = device.line("operations")
        self.published = device.line().call(commands.PublishKeys(), commands.PublishKeysReply)
        self.allow(self.device_entry(["import", *OPERATIONS]), self.client_entry(OPERATIONS))

    def device_entry(self, rights: list[str]) -> access.Principal:
        credential = public_credential(self.device_key)
        return access.Principal(
            principal=access.device_principal(credential),
            rights=rights,  # type: ignore[arg-type]
            credential=credential,
        )

    def client_entry(self, rights: list[str]) -> access.Principal:
        return access.Principal(principal=self.client, rights=rights)  # type: ignore[arg-type]

    def access_list(self, *principals: access.Principal) -> access.AccessList:
        return access.AccessList(
            partition=self.partition,
            version=self.version + 1,
            previous=access.access_list_digest(self.document),
            owners=[public_credential(self.owner)],
            principals=list(principals),
        )

    def allow(self, *principals: access.Principal) -> None:
        self.put_access(self.access_list(*principals))

    def put_access(self, access_list: access.AccessList) -> None:
        document = jws.sign(access_list, self.owner)
        command = commands.UpdateAccess(partition=self.partition, document=document)
        self.version = self.hsm.line().call(command, commands.UpdateAccessReply).version
        self.document = document

    def recipient(self, purpose: str, suite: str = "HPKE-XWING") -> suites.AnyPublicKey:
        """The published wrapping key of this purpose and suite, its endorsement verified."""
        roots = [self.hsm.factory.root]
        for token in self.published.vendor_keys if purpose == "vendor" else self.published.provider_keys:
            endorsement, _ = certificates.verify_statement(token, Endorsement, roots, "device", now())
            if endorsement.suite == suite:
                return suites.public_key(suite, endorsement.public_key)
        raise LookupError(f"no {purpose} key of suite {suite}")

    def hand_over(self, owner: Ed25519PrivateKey) -> None:
        """Make another credential the partition's only owner."""
        listed = self.access_list(self.device_entry(["import", *OPERATIONS]), self.client_entry(OPERATIONS))
        self.put_access(msgspec.structs.replace(listed, owners=[public_credential(owner)]))
        self.owner = owner

    def single_use_endorsement(self, import_id: str, owner: str = "") -> Endorsement:
        """A vendor key that the device made for one import, its endorsement verified."""
        mine = owner or public_credential(self.owner).fingerprint
        command = commands.MakeSingleUseKey(partition=self.partition, import_id=import_id, owner=mine)
        token = self.hsm.line().call(command, commands.MakeSingleUseKeyReply).endorsement
        return certificates.verify_statement(token, Endorsement, [self.hsm.factory.root], "device", now())[0]

    def single_use_key(self, import_id: str) -> suites.AnyPublicKey:
        return suites.public_key("RSA-AES-KWP", self.single_use_endorsement(import_id).public_key)

    def envelope(self, material: bytes, terms: bytes, name: str, **changes: object) -> Envelope:
        fields: dict[str, object] = {
            "import_id": make_id("imp_"),
            "tenant": self.tenant,
            "partition": self.partition,
            "owner": public_credential(self.owner).fingerprint,
            "device": self.published.device,
            "vendor_key": self.recipient("vendor"),
            "provider_key": self.recipient("provider"),
            "name": name,
            "validations": [],
            "created_at": now(),
        }
        signer = changes.pop("signer", self.device_key)
        return wrap(material, terms, Wrapping(**(fields | changes)), signer)  # type: ignore[arg-type]

    def send(self, envelope: Envelope, **changes: str) -> str:
        """Import an envelope. Returns the receipt."""
        fields = {"partition": self.partition, "tenant": self.tenant} | changes
        command = commands.ImportKey(**fields, header=envelope.header, material=envelope.material, terms=envelope.terms)
        return self.hsm.line().call(command, commands.ImportKeyReply).receipt

    def import_key(self, material: bytes, terms: Terms, name: str) -> Receipt:
        return self.receipt(self.send(self.envelope(material, terms.encode(), name)))

    def receipt(self, token: str) -> Receipt:
        """The receipt, verified against the manufacturer's root."""
        receipt, certified = certificates.verify_statement(token, Receipt, [self.hsm.factory.root], "device", now())
        assert receipt.device == certified.device_id
        return receipt

    def order(self, key: str, version: int = 0, **changes: object) -> dict[int, str]:
        """Have the device carry out the owner's order to destroy a key. Returns the states of its versions."""
        return self.give_order(self.signed_order(key, version, **changes))

    def signed_order(self, key: str, version: int = 0, **changes: object) -> str:
        signer = changes.pop("signer", self.owner)
        fields: dict[str, object] = {"partition": self.partition, "key": key, "version": version, "issued_at": now()}
        return jws.sign(KeyOrder(**(fields | changes)), signer)  # type: ignore[arg-type]

    def give_order(self, order: str) -> dict[int, str]:
        command = commands.OrderKey(partition=self.partition, order=order)
        return self.hsm.line().call(command, commands.OrderKeyReply).states

    def request(self, key: str, operation: str, payload: bytes, **changes: object) -> OperationRequest:
        fields: dict[str, object] = {
            "principal": self.client,
            "partition": self.partition,
            "key": key,
            "version": 0,
            "operation": operation,
            "mechanism": "",
            "payload": payload,
        }
        return OperationRequest(**(fields | changes))  # type: ignore[arg-type]

    def operate(self, key: str, operation: str, payload: bytes, **changes: object) -> OperationReply:
        return self.operations.operate(self.request(key, operation, payload, **changes))

    def operate_batch(self, key: str, operation: str, items: list[Item], **changes: object) -> OperationReply:
        return self.operate(key, operation, b"", items=items, **changes)

    def batch_instruction(
        self, key: str, operation: str, items: list[Item], mechanism: str, **changes: object
    ) -> Instruction:
        stated = {"payload_digest": batch_digest(items), "items": len(items)}
        return self.instruction(key, operation, b"", mechanism, **(stated | changes))

    def instruction(self, key: str, operation: str, payload: bytes, mechanism: str, **changes: object) -> Instruction:
        session = self.hsm.line().call(commands.SessionRequest(), commands.SessionReply).session
        fields: dict[str, object] = {
            "partition": self.partition,
            "key": key,
            "version": 1,
            "operation": operation,
            "mechanism": mechanism,
            "parameters": Parameters(),
            "payload_digest": digest(payload),
            "nonce": nonce(),
            "session": session,
        }
        return Instruction(**(fields | changes))  # type: ignore[arg-type]

    def operate_signed(
        self, key: str, operation: str, payload: bytes, mechanism: str, **changes: object
    ) -> OperationReply:
        signer = changes.pop("signer", self.device_key)
        token = jws.sign(self.instruction(key, operation, payload, mechanism, **changes), signer)  # type: ignore[arg-type]
        return self.operate(key, operation, payload, instruction=token)
