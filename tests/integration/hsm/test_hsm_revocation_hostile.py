"""A provider between device and endpoint can make a key unusable within its interval, never usable, never revoked."""

import socket
import time
from collections.abc import Callable, Iterator

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom.protocol.encoding import canonical_json
from strongroom.protocol.mechanisms import KeyType
from strongroom.protocol.revocation import Answer, CheckRequest, sign_answer, text_of_key
from tests.support.imports import Imported, states_of
from tests.support.refusals import refused
from tests.support.scripted_endpoint import Endpoint, Handler, Identity
from tests.support.sealed import Customer, SealedDevice
from tests.support.watching import serves, status, until, used

AES = KeyType.AES_256
BOUND = 0.05
"""What a test allows beyond the interval, in seconds."""
Import = Callable[..., Imported]
Behaviour = Callable[[Handler, CheckRequest], None]


@pytest.fixture
def key(alice: Customer, import_key: Import, endpoint: Endpoint) -> Iterator[Imported]:
    """A key that its endpoint has said to be active, with an interval of a second."""
    made = import_key(alice, AES, revocation=endpoint.terms())
    serves(alice, made)
    yield made
    alice.order(made.id)


def suspends(alice: Customer, key: Imported, endpoint: Endpoint, why: str, behave: Behaviour | None = None) -> float:
    """From here on no answer counts: the key is unusable after a second, and only suspended. Then all is well again.

    Returns how many seconds the last call took.
    """
    sound = endpoint.behave
    if behave is not None:
        endpoint.behave = behave
    begun = time.monotonic()
    code, asked_at = "", begun
    while not code:
        last, asked_at = asked_at, time.monotonic()
        code = used(alice, key)
    # The last one that served was asked for within the interval, however long its way was.
    assert (code, last < begun + 1 + BOUND) == ("key-suspended", True)
    seconds: list[float] = []

    def told() -> bool:
        now = status(alice, key)
        seconds.append(now.seconds)
        return now.why.startswith(why)

    until(told)
    assert states_of(alice, key.id) == {1: "active"}
    endpoint.behave = sound
    return seconds[-1]


# --- answers ---


def test_a_delayed_answer_is_as_old_as_its_question(alice: Customer, key: Imported, endpoint: Endpoint) -> None:
    def late(handler: Handler, request: CheckRequest) -> None:
        time.sleep(1.1)
        endpoint.answer_soundly(handler, request)

    suspends(alice, key, endpoint, "", late)
    asked = len(endpoint.requests)
    endpoint.behave = late
    until(lambda: len(endpoint.requests) > asked + 1)
    assert used(alice, key) == "key-suspended"
    endpoint.behave = endpoint.answer_soundly
    serves(alice, key)


def test_a_replayed_good_answer_is_none(alice: Customer, key: Imported, endpoint: Endpoint) -> None:
    kept = canonical_json(endpoint.answers(endpoint.requests[-1]))
    suspends(alice, key, endpoint, "no valid answer: nonce-mismatch", lambda handler, _request: handler.send(kept))
    serves(alice, key)


def test_another_keys_good_answer_is_none(
    alice: Customer, key: Imported, endpoint: Endpoint, import_key: Import
) -> None:
    other = import_key(alice, AES, revocation=endpoint.terms(every=60))
    serves(alice, other)
    [about_other] = next(one for one in reversed(endpoint.requests) if one.checks[0].key == other.id).checks

    def exchanged(handler: Handler, request: CheckRequest) -> None:
        said = endpoint.answers(CheckRequest(nonce=request.nonce, device=request.device, checks=[about_other]))
        handler.send(canonical_json(said))

    suspends(alice, key, endpoint, "no valid answer: receipt-mismatch", exchanged)
    serves(alice, key)


def test_what_the_answer_leaves_out_is_unanswered(alice: Customer, key: Imported, endpoint: Endpoint) -> None:
    def empty(handler: Handler, request: CheckRequest) -> None:
        handler.send(canonical_json(endpoint.answers(request, answers=[])))

    suspends(alice, key, endpoint, "no valid answer: the answer says nothing", empty)
    serves(alice, key)


def test_a_revocation_that_is_not_authentic_revokes_nothing(alice: Customer, key: Imported, endpoint: Endpoint) -> None:
    def forged(handler: Handler, request: CheckRequest) -> None:
        handler.send(canonical_json(endpoint.answers(request, nonce="n" * 43, answers=[revoked(request)])))

    suspends(alice, key, endpoint, "no valid answer: nonce-mismatch", forged)
    serves(alice, key)


def test_where_answers_are_signed_the_channel_alone_does_not_do(
    alice: Customer, import_key: Import, endpoint: Endpoint
) -> None:
    signer, stranger = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    key = import_key(alice, AES, revocation=endpoint.terms(answer_key=text_of_key(signer.public_key())))
    endpoint.statuses[key.id] = ("revoked", "forged")
    until(lambda: status(alice, key).why.startswith("no valid answer: statement-malformed"))
    endpoint.behave = lambda handler, request: handler.send(sign_answer(endpoint.answers(request), stranger))
    until(lambda: status(alice, key).why.startswith("no valid answer: signature-invalid"))
    assert used(alice, key) == "key-suspended"
    endpoint.statuses.clear()
    endpoint.behave = lambda handler, request: handler.send(sign_answer(endpoint.answers(request), signer))
    serves(alice, key)
    alice.order(key.id)


def revoked(request: CheckRequest) -> Answer:
    return Answer(key=request.checks[0].key, receipt=request.checks[0].receipt, status="revoked", reason="forged")


# --- the server ---


@pytest.mark.parametrize("other", ["another key", "expired", "not yet", "another name"])
def test_another_certificate_is_no_server(
    alice: Customer, import_key: Import, other: str, request: pytest.FixtureRequest
) -> None:
    issuer = Identity("issuer", ca=True)
    endpoint = Endpoint(Identity(issuer=issuer))
    request.addfinalizer(endpoint.close)
    key = import_key(alice, AES, revocation=endpoint.terms(certificates=[issuer.der]))
    serves(alice, key)
    endpoint.identity = {
        "another key": lambda: Identity("localhost"),
        "expired": lambda: Identity(issuer=issuer, days=(-2, -0.001)),
        "not yet": lambda: Identity(issuer=issuer, days=(0.01, 1)),
        "another name": lambda: Identity("elsewhere", issuer=issuer),
    }[other]()
    endpoint.statuses[key.id] = ("revoked", "forged")
    suspends(alice, key, endpoint, "no valid answer: certificate-invalid")
    alice.order(key.id)


def test_a_pinned_key_does_not_outlive_its_certificate(
    alice: Customer, import_key: Import, request: pytest.FixtureRequest
) -> None:
    endpoint = Endpoint(Identity(days=(-2, -0.001)))
    request.addfinalizer(endpoint.close)
    key = import_key(alice, AES, revocation=endpoint.terms(public_keys=[endpoint.pinned_key()]))
    until(lambda: "expired" in status(alice, key).why)
    other = import_key(alice, AES, revocation=endpoint.terms(public_keys=["0" * 64]))
    endpoint.identity = Identity()
    until(lambda: "not a pinned one" in status(alice, other).why)
    assert {used(alice, key), used(alice, other)} == {"key-suspended"}
    for one in (key, other):
        alice.order(one.id)


def test_a_redirect_is_not_followed(
    alice: Customer, key: Imported, endpoint: Endpoint, request: pytest.FixtureRequest
) -> None:
    elsewhere = Endpoint(endpoint.identity)
    request.addfinalizer(elsewhere.close)
    behave = lambda handler, _request: handler.send(b"", 307, Location=elsewhere.url)  # noqa: E731
    suspends(alice, key, endpoint, "no valid answer: unavailable: it answers with status 307", behave)
    assert elsewhere.requests == []
    serves(alice, key)


# --- the way ---


def test_a_body_without_end_is_not_read(alice: Customer, key: Imported, endpoint: Endpoint) -> None:
    sent: list[int] = []

    def endless(handler: Handler, _request: CheckRequest) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", str(10 * 2**30))
        handler.end_headers()
        sent.append(0)
        while sent[-1] < 64 * 2**20:
            handler.wfile.write(b" " * 65_536)
            sent[-1] += 65_536

    suspends(alice, key, endpoint, "no valid answer: too-large", endless)
    assert max(sent) < 16 * 2**20  # what the sockets hold, and not more
    serves(alice, key)


def test_slow_bytes_do_not_extend_the_call(alice: Customer, key: Imported, endpoint: Endpoint) -> None:
    def drip(handler: Handler, request: CheckRequest) -> None:
        body = canonical_json(endpoint.answers(request))
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        for byte in body:
            handler.wfile.write(bytes([byte]))
            time.sleep(0.1)

    assert 4.5 < suspends(alice, key, endpoint, "no valid answer: unavailable: no answer in time", drip) < 5.5
    serves(alice, key)


def test_a_server_that_says_nothing_costs_nobody_else(
    alice: Customer, charlie: Customer, key: Imported, endpoint: Endpoint, import_key: Import
) -> None:
    with socket.create_server(("127.0.0.1", 0), backlog=128) as silent:  # the kernel accepts, nobody answers
        url = f"https://localhost:{silent.getsockname()[1]}/"
        stuck = [import_key(charlie, AES, revocation=endpoint.terms(url=f"{url}{n}", every=600)) for n in range(12)]
        begun = time.monotonic()
        assert {used(charlie, one) for one in stuck} == {"key-suspended"}
        assert time.monotonic() - begun < 3  # an operation waited once, and no other did after it
        for _ in range(20):
            assert used(alice, key) == ""
            time.sleep(0.1)
        for one in stuck:
            charlie.order(one.id)


def test_a_production_device_calls_no_private_address(
    make_device: Callable[..., SealedDevice], import_key: Import, endpoint: Endpoint
) -> None:
    device = make_device(workers=1, mode="production")
    device.bring_up()
    customer = device.customer()
    with refused("terms-refused"):
        import_key(customer, AES, revocation=endpoint.terms(url=f"https://127.0.0.1:{endpoint.port}/", every=5))
    with refused("terms-refused"):
        import_key(customer, AES, revocation=endpoint.terms(every=4))
    key = import_key(customer, AES, revocation=endpoint.terms(every=5))
    until(lambda: "not called" in status(customer, key).why)
    assert (used(customer, key), endpoint.requests) == ("key-suspended", [])
    # As the device's own configuration allows it.
    device.options = ["--private-endpoints"]
    device.restart()
    customer.operations = device.line("operations")
    until(lambda: used(customer, key) == "")
