"""Lines to copy that use a key, with the reader's own names in them, by what keys of its type can do."""

from dataclasses import dataclass
from urllib.parse import quote

from strongroom.protocol.mechanisms import Usage
from tee.key_list import capable
from tee.models import Key

_SIGN = ["sign --key {name} --in FILE --out FILE.sig"]
_CIPHER = ["encrypt --key {name} --in FILE --out FILE.enc", "decrypt --key {name} --in FILE.enc --out FILE"]
_BY_TYPE = {
    "RSA": [*_SIGN, _CIPHER[1]],
    "EC-": _SIGN,
    "Ed25519": _SIGN,
    "ML-DSA": _SIGN,
    "X25519": ["derive --key {name} --peer PEER.pem --info TEXT --out FILE"],
    "AES-": _CIPHER,
    "ChaCha20": _CIPHER,
    "HMAC": ["hash --key {name} --in FILE --out FILE.mac"],
}
_SUFFIX = {Usage.SIGN: "sig", Usage.ENCRYPT: "enc", Usage.HASH: "mac"}
_CURL = """\
export TOKEN=…    # of an API client on the access list
curl -s {url} \\
  -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' \\
  -d "{{\\"payload\\": \\"$(base64 -w0 FILE)\\"}}"
"""
_PYTHON = """\
import base64, json, os, urllib.request

payload = base64.b64encode(open("FILE", "rb").read()).decode()
request = urllib.request.Request(
    "{url}",
    json.dumps({{"payload": payload}}).encode(),
    {{"Authorization": "Bearer " + os.environ["TOKEN"], "Content-Type": "application/json"}},
)
answer = json.load(urllib.request.urlopen(request))
with open("FILE.{suffix}", "wb") as out:
    out.write(base64.b64decode(answer["result"]))
"""


@dataclass(frozen=True)
class Samples:
    """`curl` and `python` are empty where a key of its type does nothing that takes a payload alone."""

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
    return next((one for one in _SUFFIX if one in able), None)


def samples_for(key: Key, root: str) -> Samples:
    """`root`: the portal's own address, with a slash at its end."""
    operation = simple_operation(key)
    if operation is None:
        return Samples(commands_for(key), "", "")
    url = f"{root}api/v1/keys/{quote(key.name, safe='')}/{operation}"
    python = _PYTHON.format(url=url, suffix=_SUFFIX[operation])
    return Samples(commands_for(key), _CURL.format(url=url), python)
