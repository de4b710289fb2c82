"""Operations over the sealed process's socket: all its checks and its log, nothing in front of it."""

import os
import socket
from collections.abc import Callable

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from bench.rig import Rig
from strongroom.protocol import commands, jws
from strongroom.protocol.encoding import b64u, digest
from strongroom.protocol.frames import pack, read_answer
from strongroom.protocol.instructions import Instruction, Item, Parameters
from strongroom.protocol.mechanisms import Usage
from strongroom.protocol.operations import OperationReply, OperationRequest

PAYLOAD = b"x" * 256
CLIENTS = 4


def library() -> Callable[[], object]:
    """The yardstick: the library in this process, with no socket, no check and no log."""
    key, algorithm = ec.generate_private_key(ec.SECP256R1()), ec.ECDSA(hashes.SHA256())
    return lambda: key.sign(PAYLOAD, algorithm)


WORK = {
    "p256": ("sign", "ECDSA-SHA256", PAYLOAD),
    "ed25519": ("sign", "Ed25519", PAYLOAD),
    "rsa2048": ("sign", "RSA-PSS-SHA256", PAYLOAD),
    "aes": ("encrypt", "AES-GCM", b"x" * 1024),
    "hmac": ("hash", "HMAC-SHA256", b"x" * 1024),
}
"""Operation, mechanism and payload, by the key's kind."""


def in_token_mode(rig: Rig, batch: int = 0, kind: str = "p256") -> Callable[[], Callable[[], object]]:
    """A client process: one connection, one request after another; each for one operation, or a batch."""
    operation, mechanism, payload = WORK[kind]
    request = msgspec.msgpack.encode(
        OperationRequest(
            principal=f"client:{rig.client}",
            partition=rig.token_keys[kind].partition,
            key=rig.token_keys[kind].key_id,
            version=0,
            operation=operation,
            mechanism=mechanism,
            payload=b"" if batch else payload,
            items=[Item(payload)] * batch if batch else None,
        )
    )

    def prepare() -> Callable[[], object]:
        connection = connect(rig.hsm_socket, "operations")
        return lambda: ask(connection, request)

    return prepare


def in_signed_mode(rig: Rig) -> Callable[[], Callable[[], object]]:
    """As above, each request signed by the client device; signing it is the client's own work and counted too."""
    device = rig.home.key("device")

    def prepare() -> Callable[[], object]:
        connection, admin = connect(rig.hsm_socket, "operations"), connect(rig.hsm_socket, "admin")
        admin.sendall(pack(commands.encode_request(commands.SessionRequest())))
        session = commands.decode_reply(read_answer(admin.recv), commands.SessionReply).session

        def operate() -> object:
            instruction = Instruction(
                partition=rig.signed_key.partition,
                key=rig.signed_key.key_id,
                version=1,
                operation=Usage.SIGN,
                mechanism="ECDSA-SHA256",
                parameters=Parameters(),
                payload_digest=digest(PAYLOAD),
                nonce=b64u(os.urandom(24)),
                session=session,
            )
            request = OperationRequest(
                principal="",
                partition=rig.signed_key.partition,
                key=rig.signed_key.key_id,
                version=1,
                operation="sign",
                mechanism="",
                payload=PAYLOAD,
                instruction=jws.sign(instruction, device),
            )
            return ask(connection, msgspec.msgpack.encode(request))

        return operate

    return prepare


def ask(connection: socket.socket, request: bytes) -> object:
    connection.sendall(pack(request))
    reply = msgspec.msgpack.decode(read_answer(connection.recv), type=OperationReply)
    if reply.code:
        raise RuntimeError(f"the device refused: {reply.code} {reply.detail}")
    if reply.errors:
        raise RuntimeError(f"the device refused items: {reply.errors}")
    return reply


def dial(path: str) -> socket.socket:
    """A connection on which nothing was said yet."""
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(30)
    connection.connect(path)
    return connection


def connect(path: str, lane: commands.Lane) -> socket.socket:
    connection = dial(path)
    connection.sendall(pack(msgspec.msgpack.encode(commands.Hello(lane, "portal"))))
    commands.decode_reply(read_answer(connection.recv), type(None))
    return connection
