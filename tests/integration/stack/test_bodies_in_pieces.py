"""A body that comes in pieces (chunked, without a length), at the server that really serves."""

import http.client
import json
from collections.abc import Iterator

import httpx
import pytest

from tests.support.portal import code_of
from tests.support.stack import Stack

PIECE = 65_536
OPERATION = "keys/none-of-this-name/sign"


def send(stack: Stack, path: str, body: bytes) -> httpx.Response:
    def pieces() -> Iterator[bytes]:
        for at in range(0, len(body), PIECE):
            yield body[at : at + PIECE]

    home = stack.tenant("acme").home
    return httpx.post(
        f"{stack.url}/api/v1/{path}",
        content=pieces(),
        headers={"Authorization": f"Bearer {home.token()}", "Content-Type": "application/json"},
    )


def test_it_is_read_to_its_end(stack: Stack) -> None:
    with stack.tenant("acme").connect() as connection:
        partition = connection.home.partition()
    body = json.dumps({"nonce": "a nonce that is long".replace(" ", "-")}).encode()
    assert "attestation" in send(stack, f"partitions/{partition}/attestation", body).json()
    operation = json.dumps({"payload": "YWFh" * 3 * PIECE}).encode()
    assert code_of(send(stack, OPERATION, operation)) == "not-found"


def test_it_is_malformed_where_it_is_cut_off(stack: Stack) -> None:
    for path in ("validation", OPERATION):
        assert code_of(send(stack, path, b'{"payload": "YQ==')) == "malformed"


@pytest.mark.parametrize(("path", "size"), [("validation", 16 * 2**20), (OPERATION, 48 * 2**20)])
def test_whoever_sends_too_much_hears_why_at_the_end(stack: Stack, path: str, size: int) -> None:
    """With a length, by a client that reads no answer before all is sent."""
    url, token = httpx.URL(stack.url), stack.tenant("acme").home.token()
    connection = http.client.HTTPConnection(url.host, url.port, timeout=60)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    for _ in range(2):  # and the connection serves again
        connection.request("POST", f"/api/v1/{path}", body=b" " * size, headers=headers)
        response = connection.getresponse()
        problem = json.loads(response.read())
        assert (response.status, problem["code"]) == (413, "too-large")
        assert "at most" in problem["detail"]
    connection.close()


def test_it_has_the_same_largest_size(stack: Stack) -> None:
    # An operation may be a batch.
    for path, size in (("validation", 3 * 512 * 1024), ("validation", 4 * 1024 * 1024), (OPERATION, 33 * 1024 * 1024)):
        response = send(stack, path, b" " * size)
        assert (code_of(response), response.status_code) == ("too-large", 413)
