"""A whole stack for the benchmarks, with a P-256 key that may be used in token mode and one that needs signatures."""

import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from strongroom.client.connection import connect
from strongroom.client.home import Home
from strongroom.client.imports import import_key
from strongroom.client.material import read_material
from strongroom.protocol.mechanisms import Usage
from strongroom.protocol.statements import Receipt
from strongroom.protocol.terms import Terms, new_salt

PROJECT = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Rig:
    """Where the stack answers, and what the benchmarks use in it."""

    url: str
    hsm_socket: str
    token: str
    client: str
    token_key: Receipt
    signed_key: Receipt
    home: Home


@contextmanager
def stack() -> Iterator[Rig]:
    """Start a stack in a folder of its own, and stop it afterwards."""
    with tempfile.TemporaryDirectory(prefix="strongroom-bench-") as folder:
        place = ["--state", folder]
        subprocess.run([PROJECT / "bin/up", "--detach", "--port", "0", *place], check=True, stdout=subprocess.DEVNULL)
        try:
            yield _prepare(json.loads((Path(folder) / "access.json").read_text()))
        finally:
            subprocess.run([PROJECT / "bin/down", *place], check=True, stdout=subprocess.DEVNULL)


def _prepare(access: dict) -> Rig:  # type: ignore[type-arg]
    tenant = next(one for one in access["tenants"] if one["slug"] == "acme")
    home = Home(Path(tenant["client_home"]))
    with connect(home) as connection:
        whoami = connection.portal.get("whoami", dict)
        receipts = {}
        for mode in ("token", "signed"):
            key = ec.generate_private_key(ec.SECP256R1())
            material = read_material(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
            terms = Terms(
                salt=new_salt(),
                key_type=material.key_type,
                usages=[Usage.SIGN, Usage.VERIFY],
                authorisation=mode,  # type: ignore[arg-type]
            )
            receipts[mode] = import_key(connection, material, f"bench-{mode}", terms, int(time.time())).receipt
    return Rig(
        url=access["url"],
        hsm_socket=access["hsm_socket"],
        token=tenant["token"],
        client=whoami["client_id"],
        token_key=receipts["token"],
        signed_key=receipts["signed"],
        home=home,
    )
