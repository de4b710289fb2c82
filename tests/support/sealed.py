"""A real sealed process for tests, with its manufacturer's root, officers' cards and an owner: everything but a portal."""

import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TypeVar

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from strongroom.protocol import access, admin_actions, certificates, commands, jws
from strongroom.protocol.credentials import PublicCredential, public_credential
from strongroom.protocol.encoding import b64u, digest, make_id
from strongroom.protocol.envelope import Envelope, Wrapping, wrap
from strongroom.protocol.frames import pack, read_frame
from strongroom.protocol.instructions import Instruction, Parameters
from strongroom.protocol.sealing import RecipientPrivateKey, RecipientPublicKey
from strongroom.protocol.statements import Endorsement, Receipt
from strongroom.protocol.terms import Terms

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]
OPERATIONS = ["sign", "verify", "encrypt", "decrypt", "hash", "translate"]


def now() -> int:
    return int(time.time())


def nonce() -> str:
    return b64u(os.urandom(24))


class Line:
    """One connection to the sealed process."""

    def __init__(self, path: Path, lane: str = "admin", caller: str = "portal") -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(30)
        self.sock.connect(str(path))
        self.send(msgspec.msgpack.encode(commands.Hello(lane, caller)))  # type: ignore[arg-type]
        commands.decode_reply(read_frame(self.sock.recv), type(None))

    def send(self, body: bytes) -> None:
        self.sock.sendall(pack(body))

    def call(self, command: commands.Command, reply: type[T]) -> T:
        self.send(commands.encode_request(command))
        return commands.decode_reply(read_frame(self.sock.recv), reply)

    def operate(self, request: commands.OperationRequest) -> commands.OperationReply:
        self.send(msgspec.msgpack.encode(request))
        return msgspec.msgpack.decode(read_frame(self.sock.recv), type=commands.OperationReply)


@dataclass
class Card:
    """An officer's card, with the secrets that a card file would hold."""

    name: str
    officer_class: str
    signing: Ed25519PrivateKey = field(default_factory=Ed25519PrivateKey.generate)
    sealing: RecipientPrivateKey = field(default_factory=RecipientPrivateKey.generate)
    part: bytes = b""

    @property
    def fingerprint(self) -> str:
        return public_credential(self.signing).fingerprint

    def enrolment(self) -> commands.OfficerEnrolment:
        return commands.OfficerEnrolment(
            name=self.name,
            officer_class=self.officer_class,  # type: ignore[arg-type]
            credential=public_credential(self.signing),
            sealing_key=self.sealing.public().text,
        )

    def approve(self, action: bytes) -> str:
        approval = admin_actions.Approval(action_digest=admin_actions.action_digest(action), approved_at=now())
        return jws.sign(approval, self.signing)


class Factory:
    """A manufacturer's development root that certifies devices."""

    def __init__(self) -> None:
        self.key = Ed25519PrivateKey.generate()
        self.root = self._certificate("root", self.key.public_key(), "Test root")

    def certify(self, csr: str, role: certificates.Role = "device") -> str:
        request = x509.load_pem_x509_csr(csr.encode())
        key = request.public_key()
        return self._certificate(role, key, "Test device").public_bytes(Encoding.PEM).decode()  # type: ignore[arg-type]

    def _certificate(self, role: certificates.Role, key: object, name: str) -> x509.Certificate:
        moment = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
            .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test root")]))
            .public_key(key)  # type: ignore[arg-type]
            .serial_number(x509.random_serial_number())
            .not_valid_before(moment - timedelta(minutes=5))
            .not_valid_after(moment + timedelta(days=30))
            .add_extension(certificates.CertificateProfile(role, "development").extension(), critical=False)
            .sign(self.key, None)
        )


class SealedDevice:
    """The process `python -m hsm` over a state folder, and the people around it."""

    def __init__(self, folder: Path, workers: int = 2) -> None:
        self.folder = folder / "hsm"
        self.socket = folder / "hsm.sock"
        self.workers = workers
        self.factory = Factory()
        self.cards = [Card(f"{kind}{n}", kind) for kind in admin_actions.OFFICER_CLASSES for n in (1, 2, 3)]
        self.world = ""
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        command = [sys.executable, "-m", "hsm", "--state", str(self.folder), "--socket", str(self.socket)]
        command += ["--workers", str(self.workers)]
        self.socket.unlink(missing_ok=True)
        self.process = subprocess.Popen(command, cwd=ROOT)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline:
            try:
                Line(self.socket)
            except (OSError, EOFError):
                time.sleep(0.02)
            else:
                return
        raise TimeoutError("the sealed process does not answer")

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(20)
            self.process = None

    def kill(self) -> None:
        """SIGKILL the parent and every worker."""
        pids = [self.process.pid, *self.status().workers] if self.process else []
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        if self.process is not None:
            self.process.wait(20)
            self.process = None

    def line(self, lane: str = "admin", caller: str = "portal") -> Line:
        return Line(self.socket, lane, caller)

    def console(self) -> Line:
        return self.line(caller="console")

    def status(self) -> commands.StatusReply:
        return self.console().call(commands.Status(), commands.StatusReply)

    def of(self, officer_class: str) -> list[Card]:
        return [card for card in self.cards if card.officer_class == officer_class]

    def manufacture(self) -> None:
        console = self.console()
        csr = console.call(commands.MakeIdentity(), commands.MakeIdentityReply).csr
        root = self.factory.root.public_bytes(Encoding.PEM).decode()
        console.call(commands.InstallCertificate(certificate=self.factory.certify(csr), root=root), commands.Done)

    def ceremony(self, thresholds: dict[str, int] | None = None) -> commands.InitialiseReply:
        command = commands.Initialise(
            officers=[card.enrolment() for card in self.cards],
            thresholds=thresholds or dict.fromkeys(admin_actions.OFFICER_CLASSES, 2),
        )
        reply = self.console().call(command, commands.InitialiseReply)
        self.world = reply.world
        for card in self.of("security"):
            info = commands.unseal_part_info(self.world, card.fingerprint)
            card.part = card.sealing.open(reply.parts[card.fingerprint], info)
        return reply

    def give_part(self, card: Card, part: bytes | None = None) -> commands.GiveUnsealPartReply:
        line, mine = self.line(), nonce()
        begun = line.call(commands.BeginUnseal(nonce=mine), commands.BeginUnsealReply)
        endorsement, certified = certificates.verify_statement(
            begun.endorsement, Endorsement, [self.factory.root], "device", now()
        )
        assert (endorsement.nonce, endorsement.purpose) == (mine, "unseal-key")
        assert certified.device_id == endorsement.device
        info = commands.unseal_part_info(self.world, card.fingerprint, endorsement.key_id)
        sealed = RecipientPublicKey.from_text(endorsement.public_key).seal(part or card.part, info)
        give = commands.GiveUnsealPart(key_id=endorsement.key_id, card=card.fingerprint, part=sealed)
        return line.call(give, commands.GiveUnsealPartReply)

    def unseal(self) -> None:
        for card in self.of("security")[:2]:
            self.give_part(card)

    def bring_up(self) -> None:
        """From nothing to operational."""
        self.start()
        self.manufacture()
        self.ceremony()
        self.unseal()

    def restart(self) -> None:
        self.stop()
        self.start()
        self.unseal()

    # --- quorum ---

    def open_action(self, requester: Card, owner: PublicCredential, tenant: str = "acme") -> bytes:
        request = admin_actions.ActionRequest(
            action="partition.define",
            body=admin_actions.DefinePartition(tenant=tenant, label="main", owner=owner),
            world=self.world,
            nonce=nonce(),
            created_at=now(),
        )
        command = commands.OpenAction(request=jws.sign(request, requester.signing))
        return self.line().call(command, commands.OpenActionReply).action

    def execute(self, action: bytes, approvals: list[str]) -> str:
        command = commands.ExecuteAction(action=action, approvals=approvals)
        return self.line().call(command, commands.ExecuteActionReply).result

    def define_partition(self, owner: PublicCredential, tenant: str = "acme") -> str:
        first, second, third = self.of("partition")
        action = self.open_action(first, owner, tenant)
        return self.execute(action, [second.approve(action), third.approve(action)])

    def customer(self, tenant: str = "acme") -> "Customer":
        return Customer(self, tenant)


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
        document = jws.sign(self.access_list(*principals), self.owner)
        command = commands.UpdateAccess(partition=self.partition, document=document)
        self.version = self.hsm.line().call(command, commands.UpdateAccessReply).version
        self.document = document

    def recipient(self, purpose: str) -> RecipientPublicKey:
        kept = self.published.vendor_keys if purpose == "vendor" else self.published.provider_keys
        endorsement, _ = certificates.verify_statement(kept[0], Endorsement, [self.hsm.factory.root], "device", now())
        return RecipientPublicKey.from_text(endorsement.public_key)

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
        token = self.send(self.envelope(material, terms.encode(), name))
        receipt, _ = certificates.verify_statement(token, Receipt, [self.hsm.factory.root], "device", now())
        return receipt

    def request(self, key: str, operation: str, payload: bytes, **changes: object) -> commands.OperationRequest:
        fields: dict[str, object] = {
            "principal": self.client,
            "partition": self.partition,
            "key": key,
            "version": 0,
            "operation": operation,
            "mechanism": "",
            "payload": payload,
        }
        return commands.OperationRequest(**(fields | changes))  # type: ignore[arg-type]

    def operate(self, key: str, operation: str, payload: bytes, **changes: object) -> commands.OperationReply:
        return self.operations.operate(self.request(key, operation, payload, **changes))

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
    ) -> commands.OperationReply:
        signer = changes.pop("signer", self.device_key)
        token = jws.sign(self.instruction(key, operation, payload, mechanism, **changes), signer)  # type: ignore[arg-type]
        return self.operate(key, operation, payload, instruction=token)
