"""Lines to copy that use a key, with the reader's own names in them, by what keys of its type can do.

tests/integration/stack/test_samples.py runs them as they are shown.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

from strongroom.protocol.mechanisms import Usage
from tee.key_list import capable
from tee.models import Key

_SIGN = ["sign --key {name} --in FILE --out FILE.sig", "verify --key {name} --in FILE --signature FILE.sig"]
_ENCRYPT = "encrypt --key {name} --in FILE --out FILE.enc"
_DECRYPT = "decrypt --key {name} --in FILE.enc --out FILE.clear"
_BY_TYPE = {
    "RSA": [*_SIGN, _DECRYPT],
    "EC-": _SIGN,
    "Ed25519": _SIGN,
    "ML-DSA": _SIGN,
    "X25519": ["derive --key {name} --peer PEER.pem --info TEXT --out FILE"],
    "AES-": [_ENCRYPT, _DECRYPT],
    "ChaCha20": [_ENCRYPT, _DECRYPT],
    "HMAC": ["hash --key {name} --in FILE --out FILE.mac"],
}
_CURL = r"""export TOKEN=…    # of an API client on the access list
call() {{    # leaves the result in RESULT, or says why there is none
  ANSWER=$(curl -sS {key}/$1 \
    -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' -d "$2")
  RESULT=$(echo "$ANSWER" | sed -n 's/.*"result": *"\([^"]*\)".*/\1/p')
  [ "$RESULT" ] || {{ echo "$ANSWER" >&2; return 1; }}
}}
call {operation} "{{\"payload\": \"$(base64 -w0 FILE)\"}}" && echo "$RESULT" | base64 -d >FILE.{suffix}"""
_PYTHON = """import base64, json, os, urllib.error, urllib.request

def call(operation, **body):
    request = urllib.request.Request(
        "{key}/" + operation,
        json.dumps(body).encode(),
        {{"Authorization": "Bearer " + os.environ["TOKEN"], "Content-Type": "application/json"}},
    )
    try:
        return json.load(urllib.request.urlopen(request))
    except urllib.error.HTTPError as refused:
        raise SystemExit(refused.read().decode())

payload = base64.b64encode(open("FILE", "rb").read()).decode()
result = call("{operation}", payload=payload)["result"]
with open("FILE.{suffix}", "wb") as out:
    out.write(base64.b64decode(result))
"""


_WHO_CURL = """export TOKEN=…
curl -s {root}api/v1/whoami -H "Authorization: Bearer $TOKEN"
"""
_WHO_PYTHON = """import json, os, urllib.error, urllib.request

request = urllib.request.Request("{root}api/v1/whoami", headers={{"Authorization": "Bearer " + os.environ["TOKEN"]}})
try:
    print(json.load(urllib.request.urlopen(request)))
except urllib.error.HTTPError as refused:
    raise SystemExit(refused.read().decode())
"""


@dataclass(frozen=True)
class _Way:
    """What follows on an operation: its result in a file with `suffix`, and the lines that try that result."""

    suffix: str
    curl: str = "\n"
    python: str = ""


_WAYS = {
    Usage.SIGN: _Way(
        "sig",
        r""" &&
curl -sS {key}/verify \
  -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \
  -d "{{\"payload\": \"$(base64 -w0 FILE)\", \"parameters\": {{\"signature\": \"$RESULT\"}}}}"
""",
        """print(call("verify", payload=payload, parameters={{"signature": result}})["valid"])
""",
    ),
    Usage.ENCRYPT: _Way(
        "enc",
        r""" &&
call decrypt "{{\"payload\": \"$RESULT\"}}" && echo "$RESULT" | base64 -d >FILE.clear
""",
        """with open("FILE.clear", "wb") as out:
    out.write(base64.b64decode(call("decrypt", payload=result)["result"]))
""",
    ),
    Usage.HASH: _Way("mac"),
}
"""In this order what a key of several abilities is shown with."""


@dataclass(frozen=True)
class Samples:
    """`curl` and `python` are empty where a key of its type does nothing that takes a payload alone.

    `command` is empty where there is no key to use.
    """

    command: str
    curl: str
    python: str


def commands_for(key: Key) -> str:
    """Command lines, one a line."""
    lines = next((lines for prefix, lines in _BY_TYPE.items() if key.key_type.startswith(prefix)), [])
    return "\n".join(f"strongroom {line.format(name=key.name)}" for line in lines)


def simple_operation(key: Key) -> Usage | None:
    """What a key of its type does with a payload and no parameters."""
    able = capable(key.key_type)
    return next((one for one in _WAYS if one in able), None)


def key_to_show(keys: Iterable[Key], rights: Mapping[str, Collection[str]]) -> Key | None:
    """The newest key in use that does something with a payload alone; better one whose partition gives that right.

    `rights`: by partition id, of whoever is to use it.
    """
    usable = [one for one in keys if one.state == "active" and not one.suspended and simple_operation(one)]
    given = [one for one in usable if simple_operation(one) in rights.get(one.partition.partition_id or "", ())]
    return next(reversed(given or usable), None)


def samples_of_token(root: str) -> Samples:
    """What tries a token where there is no key yet."""
    return Samples("", _WHO_CURL.format(root=root), _WHO_PYTHON.format(root=root))


def samples_for(key: Key, root: str) -> Samples:
    """`root`: the portal's own address, with a slash at its end."""
    operation = simple_operation(key)
    if operation is None:
        return Samples(commands_for(key), "", "")
    way = _WAYS[operation]
    told = {"key": f"{root}api/v1/keys/{quote(key.name, safe='')}", "operation": operation, "suffix": way.suffix}
    curl, python = (text.format(**told) for text in (_CURL + way.curl, _PYTHON + way.python))
    return Samples(commands_for(key), curl, python)
