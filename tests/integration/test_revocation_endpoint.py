"""The endpoint as the customer runs it: a process behind TLS, which no caller can stop or slow down for others."""

import contextlib
import json
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from strongroom.endpoint import identity
from strongroom.endpoint.server import Endpoint
from strongroom.endpoint.store import Statuses
from strongroom.protocol.encoding import make_id
from strongroom.protocol.revocation import MAX_BODY, MAX_CHECKS, Check
from tests.support.command import run
from tests.support.customers_endpoint import ServedEndpoint, question
from tests.support.served import wait_until


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServedEndpoint]:
    """One for all tests, which start it again where they stop it."""
    with ServedEndpoint(tmp_path_factory.mktemp("customer") / "endpoint") as served:
        yield served


@pytest.fixture
def endpoint(running: ServedEndpoint) -> ServedEndpoint:
    if running.process.poll() is not None:
        running.start()
    return running


@pytest.fixture
def key() -> str:
    return make_id("key_")


def said(endpoint: ServedEndpoint, key: str) -> str:
    return endpoint.ask(Check(key=key, receipt="1" * 64))[0].status


def test_its_folder_is_made_once_and_is_for_its_owner_only(endpoint: ServedEndpoint) -> None:
    before = {name: (endpoint.folder / name).read_bytes() for name in ("cert.pem", "key.pem", "token")}
    for path in [endpoint.folder, *(endpoint.folder / name for name in (*before, "statuses.db"))]:
        assert path.stat().st_mode & 0o077 == 0, path
    assert endpoint.stop() == 0
    endpoint.start()
    assert before == {name: (endpoint.folder / name).read_bytes() for name in before}


def test_a_change_is_in_the_next_answer_and_on_one_line_of_its_log(
    endpoint: ServedEndpoint, key: str, tmp_path: Path
) -> None:
    assert said(endpoint, key) == "unknown"
    shown = run(tmp_path, "revocation", "suspend", key, "--dir", endpoint.folder, "--reason", "an audit")
    assert (shown["key"], shown["status"], shown["reason"]) == (key, "suspended", "an audit")
    assert said(endpoint, key) == "suspended"
    run(tmp_path, "revocation", "revoke", key, "--dir", endpoint.folder)
    assert said(endpoint, key) == "revoked"
    run(tmp_path, "revocation", "resume", key, "--dir", endpoint.folder, refused="conflict")
    wait_until(lambda: f"{key}  is revoked" in endpoint.log)
    assert [endpoint.log.count(f"{key}  is {what}") for what in ("suspended: an audit", "revoked")] == [1, 1]
    listed = run(tmp_path, "revocation", "list", "--dir", endpoint.folder)
    assert {one["key"]: one["status"] for one in listed}[key] == "revoked"
    run(tmp_path, "revocation", "revoke", key, "--dir", tmp_path / "nowhere", refused="configuration")


def test_whoever_has_not_the_token_learns_nothing(endpoint: ServedEndpoint, key: str) -> None:
    body = question(Check(key=key, receipt="1" * 64))
    for token in ("wrong", endpoint.token[:-1], endpoint.token + "x"):
        answer = endpoint.post(body, token=token)
        assert (answer.status_code, answer.content) == (401, b"401 Unauthorized\n")
    assert endpoint.post(body).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"[" * 100_000,
        b"\xff",
        json.dumps({"v": 2, "nonce": "n" * 22, "device": "d", "checks": []}).encode(),
        question(*[Check(key="key_", receipt="1" * 64)] * (MAX_CHECKS + 1)),
        question(),
    ],
    ids=["empty", "nothing", "deep", "bytes", "version", "many", "none"],
)
def test_what_is_no_question_is_refused(endpoint: ServedEndpoint, body: bytes) -> None:
    assert endpoint.post(body).status_code == 400
    assert said(endpoint, "key_other") == "unknown"


def spoken(endpoint: ServedEndpoint, head: str, *, seconds: float = 5) -> bytes:
    """What comes back for the beginning of a request, after which the caller waits."""
    with (
        socket.create_connection(("localhost", endpoint.port), timeout=seconds) as plain,
        endpoint.context().wrap_socket(plain, server_hostname="localhost") as connection,
    ):
        connection.sendall(head.replace("\n", "\r\n").encode())
        return connection.recv(100)


def test_a_request_without_bounds_is_refused_before_it_is_read(endpoint: ServedEndpoint) -> None:
    head = f"POST / HTTP/1.1\nHost: x\nAuthorization: Bearer {endpoint.token}\n"
    assert b" 413 " in spoken(endpoint, f"{head}Content-Length: {MAX_BODY + 1}\n\n")
    assert b" 411 " in spoken(endpoint, f"{head}Transfer-Encoding: chunked\n\n5\nhello\n")
    assert b" 411 " in spoken(endpoint, f"{head}Content-Length: -1\n\n")
    assert b" 501 " in spoken(endpoint, "GET / HTTP/1.1\nHost: x\n\n")
    assert b" 414 " in spoken(endpoint, "POST /" + "a" * 70_000 + " HTTP/1.1\n\n")


def test_callers_who_say_nothing_or_speak_slowly_are_cut_off(tmp_path: Path) -> None:
    identity.make(tmp_path, [])
    endpoint = Endpoint(tmp_path, "127.0.0.1", 0, seconds=0.5)
    serving = threading.Thread(target=endpoint.serve_forever)
    serving.start()
    try:
        context = ssl.create_default_context(cafile=str(tmp_path / "cert.pem"))
        address = ("localhost", endpoint.server_port)
        silent, plain = socket.create_connection(address, timeout=5), socket.create_connection(address, timeout=5)
        with silent, context.wrap_socket(plain, server_hostname="localhost") as slow:
            assert silent.recv(1) == b""
            began = time.monotonic()
            with contextlib.suppress(OSError):
                while time.monotonic() < began + 5:
                    slow.sendall(b"P")
                    time.sleep(0.1)
            assert time.monotonic() - began < 4
        wait_until(lambda: not endpoint.deadlines)
    finally:
        endpoint.shutdown()
        endpoint.finish()


def test_a_connection_serves_many_requests_and_a_stop_lets_answers_out(endpoint: ServedEndpoint, key: str) -> None:
    headers = {"Authorization": f"Bearer {endpoint.token}"}
    with httpx.Client(verify=endpoint.context(), headers=headers, trust_env=False) as kept:
        for _ in range(3):
            assert kept.post(endpoint.url, content=question(Check(key=key, receipt="1" * 64))).status_code == 200
        began = time.monotonic()
        assert endpoint.stop() == 0
        assert time.monotonic() - began < 5
    assert "dev_test asks from 127.0.0.1" in endpoint.log


def test_what_was_said_stands_after_it_is_killed(endpoint: ServedEndpoint) -> None:
    keys = [make_id("key_") for _ in range(2)]
    for key in keys:
        Statuses(endpoint.folder).change(key, "revoked")
        endpoint.kill()
        endpoint.start()
        assert said(endpoint, key) == "revoked"
    assert [said(endpoint, key) for key in keys] == ["revoked"] * 2


def test_a_thousand_checks_are_answered_in_a_moment(endpoint: ServedEndpoint) -> None:
    checks = [Check(key=make_id("key_"), receipt=f"{number:064}") for number in range(MAX_CHECKS)]
    began = time.monotonic()
    assert {one.status for one in endpoint.ask(*checks)} == {"unknown"}
    assert time.monotonic() - began < 2
