"""What stands around a sealed process in tests: connections to its socket, officers' cards, a manufacturer's root."""

import os
import socket
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

from strongroom.protocol import admin_actions, certificates, commands, jws
from strongroom.protocol.action_table import OfficerEnrolment
from strongroom.protocol.credentials import public_credential
from strongroom.protocol.encoding import b64u
from strongroom.protocol.frames import pack, read_frame
from strongroom.protocol.operations import OperationReply, OperationRequest
from strongroom.protocol.sealing import RecipientPrivateKey

T = TypeVar("T")


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
        return self.receive(reply)

    def receive(self, reply: type[T]) -> T:
        return commands.decode_reply(read_frame(self.sock.recv), reply)

    def operate(self, request: OperationRequest) -> OperationReply:
        self.send(msgspec.msgpack.encode(request))
        return msgspec.msgpack.decode(read_frame(self.sock.recv), type=OperationReply)


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

    def enrolment(self) -> OfficerEnrolment:
        return OfficerEnrolment(
            name=self.name,
            officer_class=self.officer_class,  # type: ignore[arg-type]
            credential=public_credential(self.signing),
            sealing_key=self.sealing.public().text,
        )

    def approve(self, action: bytes) -> str:
        approval = admin_actions.Approval(action_digest=admin_actions.action_digest(action), approved_at=now())
        return jws.sign(approval, self.signing)


class Factory:
    """A manufacturer's root that certifies devices."""

    def __init__(self, mode: certificates.Mode = "development") -> None:
        self.mode = mode
        self.key = Ed25519PrivateKey.generate()
        self.root = self._certificate("root", self.key.public_key(), "Test root")

    @property
    def root_pem(self) -> str:
        return self.root.public_bytes(Encoding.PEM).decode()

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
            .add_extension(certificates.CertificateProfile(role, self.mode).extension(), critical=False)
            .sign(self.key, None)
        )
