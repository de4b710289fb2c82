"""The floor of a signature over a socket: a loop that reads a request, signs and answers. No check and no log."""

import os
import select
import signal
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from bench.hsm_socket import CLIENTS, PAYLOAD, ask, dial
from bench.measure import Load, cores, in_processes
from strongroom.protocol.frames import pack
from strongroom.protocol.operations import OperationReply, OperationRequest

REQUEST = OperationRequest(
    principal="client:" + "c" * 35,
    partition="p" * 35,
    key="k" * 36,
    version=0,
    operation="sign",
    mechanism="ECDSA-SHA256",
    payload=PAYLOAD,
)


@contextmanager
def signing() -> Iterator[Load]:
    """The load of the clients on as many such processes as cores, which take an even share of them each."""
    request = msgspec.msgpack.encode(REQUEST)
    with tempfile.TemporaryDirectory(prefix="sr-") as folder, socket.socket(socket.AF_UNIX) as listener:
        path = str(Path(folder) / "bare.sock")
        listener.bind(path)
        listener.listen(CLIENTS)
        listener.setblocking(False)
        processes = [_fork(listener, -(-CLIENTS // cores())) for _ in range(cores())]

        def prepare() -> Callable[[], object]:
            connection = dial(path)
            return lambda: ask(connection, request)

        try:
            yield in_processes(CLIENTS, prepare)
        finally:
            for pid in processes:
                os.kill(pid, signal.SIGKILL)
                os.waitpid(pid, 0)


def _fork(listener: socket.socket, share: int) -> int:
    pid = os.fork()
    if pid == 0:
        try:
            _serve(listener, share)
        finally:
            os._exit(1)
    return pid


def _serve(listener: socket.socket, share: int) -> None:
    key, algorithm = ec.generate_private_key(ec.SECP256R1()), ec.ECDSA(hashes.SHA256())
    decode, encode = msgspec.msgpack.Decoder(OperationRequest).decode, msgspec.msgpack.Encoder().encode
    epoll, connections = select.epoll(), {}
    epoll.register(listener, select.EPOLLIN)
    while True:
        for descriptor, _ in epoll.poll():
            if descriptor == listener.fileno():
                try:
                    accepted, _ = listener.accept()
                except BlockingIOError:  # the other one was faster
                    continue
                accepted.setblocking(True)
                connections[accepted.fileno()] = accepted
                epoll.register(accepted, select.EPOLLIN)
                if len(connections) == share:
                    epoll.unregister(listener)
                continue
            connection = connections[descriptor]
            data = connection.recv(65_536)
            if not data:
                epoll.unregister(descriptor)
                del connections[descriptor]
                connection.close()
                if len(connections) == share - 1:
                    epoll.register(listener, select.EPOLLIN)
                continue
            request = decode(data[4:])  # the clients' requests are short and come one at a time
            signed = key.sign(request.payload, algorithm)
            connection.sendall(
                pack(encode(OperationReply(result=signed, key=request.key, version=1, mechanism=request.mechanism)))
            )
