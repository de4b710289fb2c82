"""A whole stack for the benchmarks, with keys that may be used in token mode and one that needs signatures."""

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from strongroom.client.connection import Connection, connect
from strongroom.client.home import Home
from strongroom.client.imports import import_key
from strongroom.client.material import read_material
from strongroom.protocol.mechanisms import KeyType, Usage
from strongroom.protocol.statements import Receipt
from strongroom.protocol.terms import Authorisation, Terms, new_salt

PROJECT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Rig:
    """Where the stack answers, and what the benchmarks use in it."""

    url: str
    hsm_socket: str
    token: str
    client: str
    token_keys: dict[str, Receipt]
    """Acme's; the other tenant has keys of the same names."""
    other_token: str
    state: Path
    signed_key: Receipt
    home: Home


@contextmanager
def stack() -> Iterator[Rig]:
    """Start a stack in a folder of its own, and stop it afterwards."""
    with tempfile.TemporaryDirectory(prefix="strongroom-bench-") as folder:
        place = ["--state", folder]
        subprocess.run([PROJECT / "bin/up", "--detach", "--port", "0", *place], check=True, stdout=subprocess.DEVNULL)
        try:
            yield _prepare(json.loads((Path(folder) / "access.json").read_text()), Path(folder))
        finally:
            subprocess.run([PROJECT / "bin/down", *place], check=True, stdout=subprocess.DEVNULL)


def _prepare(access: dict, state: Path) -> Rig:  # type: ignore[type-arg]
    tenant, other = (next(one for one in access["tenants"] if one["slug"] == slug) for slug in ("acme", "globex"))
    home = Home(Path(tenant["client_home"]))

    def add(
        name: str,
        secret: bytes,
        key_type: KeyType,
        *usages: Usage,
        mode: Authorisation = "token",
        via: Connection | None = None,
    ) -> Receipt:
        material = read_material(
            secret, key_type, encoding="raw" if key_type in {KeyType.AES_256, KeyType.HMAC} else None
        )
        terms = Terms(salt=new_salt(), key_type=key_type, usages=list(usages), authorisation=mode)
        return import_key(via or connection, material, f"bench-{name}-{mode}", terms, int(time.time())).receipt

    with connect(home) as connection, connect(Home(Path(other["client_home"]))) as theirs:
        whoami = connection.portal.get("whoami", dict)
        signs = (Usage.SIGN, Usage.VERIFY)
        token_keys = {
            "p256": add("p256", _pem(ec.generate_private_key(ec.SECP256R1())), KeyType.EC_P256, *signs),
            "ed25519": add("ed25519", _pem(Ed25519PrivateKey.generate()), KeyType.ED25519, *signs),
            "rsa2048": add("rsa2048", _pem(rsa.generate_private_key(65537, 2048)), KeyType.RSA, *signs),
            "hmac": add("hmac", os.urandom(32), KeyType.HMAC, Usage.HASH),
            "aes": add("aes", os.urandom(32), KeyType.AES_256, Usage.ENCRYPT, Usage.DECRYPT),
        }
        add("p256", _pem(ec.generate_private_key(ec.SECP256R1())), KeyType.EC_P256, *signs, via=theirs)
        secret = _pem(ec.generate_private_key(ec.SECP256R1()))
        signed_key = add("p256", secret, KeyType.EC_P256, *signs, mode="signed")
    return Rig(
        url=access["url"],
        hsm_socket=access["hsm_socket"],
        token=tenant["token"],
        other_token=other["token"],
        state=state,
        client=whoami["client_id"],
        token_keys=token_keys,
        signed_key=signed_key,
        home=home,
    )


def _pem(key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | Ed25519PrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
