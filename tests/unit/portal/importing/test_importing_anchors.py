"""What the page of imports is given to trust: where a third party must vouch, it imports nothing and says so."""

import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom.client import validators
from strongroom.client.home import Home
from strongroom.client.validators import ThirdParty
from strongroom.protocol.credentials import public_credential
from strongroom.protocol.encoding import canonical_json
from strongroom.protocol.errors import Refused
from tests.support.page_modules import PageModules

pytestmark = pytest.mark.needs("node", "npm")

CREDENTIAL = public_credential(Ed25519PrivateKey.generate())
# The files as a browser gives them; the manufacturer's roots are of no matter here.
READ = """
    const { checkAskable, thirdPartiesIn } = await import("./anchors.js");
    const files = given.map(([name, content]) => ({ name, text: async () => content }));
    const third = await thirdPartiesIn(files);
    try { checkAskable({ third }); } catch (error) { return [third, error.code, error.ways]; }
    return [third, "", []];
"""


def folder_with(folder: Path, policy: list[str] | None, *names: str) -> Home:
    home = Home(folder)
    for name in names:
        validators.add(home, name, ThirdParty(url="https://v.example", credential=CREDENTIAL, tls=""))
    if policy is not None:
        (folder / "policy.json").write_text(json.dumps({"require": policy}))
    return home


def files_of(home: Home) -> list[list[str]]:
    found = [*(home.path / "trust/validators").glob("*.json"), *home.path.glob("policy.json")]
    return [[one.name, one.read_text()] for one in found]


@pytest.mark.parametrize(
    ("policy", "names"),
    [
        (None, []),
        (None, ["watch"]),
        (None, ["watch", "other"]),
        (["manufacturer"], ["watch"]),
        (["manufacturer", "provider"], []),
        (["manufacturer", "validator:watch"], ["watch", "other"]),
        (["provider", "validator:watch"], ["watch"]),
        (["provider"], ["watch"]),
        ([], []),
    ],
    ids=str,
)
def test_third_parties_must_vouch_where_the_command_requires_them(
    modules: PageModules, tmp_path: Path, policy: list[str] | None, names: list[str]
) -> None:
    home = folder_with(tmp_path, policy, *names)
    found = modules.run(READ, files_of(home))
    if policy is not None and not set(policy) - {"provider"}:
        with pytest.raises(Refused) as known:
            validators.required(home)
        assert found["refused"] == known.value.code
        return
    required = [one for one in validators.required(home) if one.startswith("validator:")]
    third, code, ways = found
    assert sorted(third) == sorted(required)
    assert (code, ways) == (("validation-failed", ["strongroom import"]) if required else ("", []))


def test_other_files_are_no_policy(modules: PageModules) -> None:
    validator: dict[str, Any] = {"url": "https://v.example", "credential": {"kty": "OKP", "x": "A" * 43}, "tls": ""}
    for name, content in [
        ("policy.json", {"require": "manufacturer"}),
        ("policy.json", {"require": ["manufacturer"], "besides": 1}),
        ("policy.json", {"require": ["anybody"]}),
        ("watch.json", {"require": ["manufacturer"]}),
        ("watch.json", validator | {"credential": {"x": 1}}),
        ("owner.json", {"kty": "OKP", "x": "A"}),
    ]:
        found = modules.run(READ, [[name, canonical_json(content).decode()]])
        assert found["refused"] == "configuration", (name, content)
    private = [["owner.pem", "-----BEGIN PRIVATE KEY-----"]]
    assert "give a private key to no page" in modules.run(READ, private)["sentence"]
