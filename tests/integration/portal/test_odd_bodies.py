"""Whatever the body of an operation is, it is answered, or refused in a problem document: never a 500."""

import base64
import json
import string
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tests.support.keys import import_p256
from tests.support.portal import Browser, Organisation, code_of
from tests.support.sealed import Customer

few = settings(max_examples=150, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck))
OPERATIONS = ["sign", "verify", "encrypt", "decrypt", "hash", "translate", "derive", "wrap", "unwrap", "rewrap"]
PARAMETERS = {
    "prehashed", "signature", "aad", "format", "salt", "length", "target", "target_mechanism", "target_aad",
    "generate", "clear",
}  # fmt: skip

scalars = st.one_of(
    st.none(), st.booleans(), st.integers(), st.integers(-(2**70), 2**70), st.floats(), st.text(max_size=40),
    st.binary(max_size=40).map(lambda data: base64.b64encode(data).decode()),
    st.sampled_from(["ECDSA-SHA256", "SHA-256", "AES-GCM", "odd-bodies", "raw", "eyJhbGciOiJFZERTQSJ9.e30.AA"]),
)  # fmt: skip
parameters = st.dictionaries(st.sampled_from(sorted(PARAMETERS)), scalars, max_size=4)
items = st.lists(
    st.one_of(scalars, st.dictionaries(st.sampled_from(["payload", "signature", "aad", "x"]), scalars, max_size=3)),
    max_size=4,
)
near = st.fixed_dictionaries(
    {},
    optional={
        "payload": scalars, "items": st.one_of(items, scalars), "mechanism": scalars, "version": scalars,
        "parameters": st.one_of(parameters, scalars), "instruction": scalars, "other": scalars,
    },
)  # fmt: skip
anything = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(string.ascii_letters, max_size=8), inner, max_size=3)
    ),
    max_leaves=8,
)


@pytest.fixture(scope="module")
def app(acme: Organisation, acme_customer: Customer) -> Browser:
    import_p256(acme, acme_customer, "odd-bodies")
    return acme.as_client()


def check(app: Browser, operation: str, body: bytes) -> None:
    answer = app.post(f"keys/odd-bodies/{operation}", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 200 or 400 <= answer.status_code < 500, (body, answer.text)
    if answer.status_code != 200:
        code_of(answer)
        return
    for one in answer.json().get("results", []):
        assert one.get("error", {}).get("code") != "internal", body


def test_json_of_nearly_the_right_shape(app: Browser) -> None:
    @few
    @given(st.sampled_from(OPERATIONS), near)
    @example("derive", {"payload": "YQ==", "parameters": {"length": 2**64}})
    @example("sign", {"payload": "YQ==", "parameters": {"length": -(2**70)}})
    @example("wrap", {"parameters": {"generate": 2**70}})
    def holds(operation: str, body: dict[str, Any]) -> None:
        check(app, operation, json.dumps(body).encode())

    holds()


def test_any_json_and_any_bytes(app: Browser) -> None:
    @few
    @given(st.one_of(anything.map(lambda one: json.dumps(one).encode()), st.binary(max_size=60)))
    def holds(body: bytes) -> None:
        check(app, "sign", body)

    holds()


@pytest.mark.parametrize("inside", ["%s", '{"payload": %s}', '{"items": %s}', '{"items": [%s]}', '{"parameters": %s}'])
@pytest.mark.parametrize(("begin", "end"), [("[", "]"), ('{"a":', "}")])
def test_json_nested_without_end(app: Browser, inside: str, begin: str, end: str) -> None:
    for deep in (begin * 50_000, begin * 50_000 + "1" + end * 50_000):
        answer = app.post(
            "keys/odd-bodies/sign", content=(inside % deep).encode(), headers={"Content-Type": "application/json"}
        )
        assert code_of(answer) == "malformed"


@pytest.mark.parametrize(
    "body",
    [
        b'{"payload": "\xff"}', b'{"\xff": 1}', b'{"payload": "YQ==", "mechanism": "\\ud800"}', b"\xef\xbb\xbf{}",
        b'{"payload": "YQ==", "instruction": "\\ud800.\\ud800.\\ud800"}', '{"payload": "YQ=="}'.encode("utf-16"),
        b'{"payload": "YQ==", "parameters": {"target": "\\u0000"}}', b'{"payload": NaN}', b'{"payload": "YQ=="} {}',
        b'{"payload": "YQ"}', b'{"payload": "-_-_"}', b'{"payload": "YQ==", "version": 1e999}', b"",
    ],
)  # fmt: skip
def test_text_that_is_none(app: Browser, body: bytes) -> None:
    answer = app.post("keys/odd-bodies/sign", content=body, headers={"Content-Type": "application/json"})
    assert code_of(answer) == "malformed"
