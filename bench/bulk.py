"""Bulk imports of P-256 keys: client, portal, database and device together, against a target of a hundred a second."""

import contextlib
import tempfile
import time
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from bench.measure import Load
from bench.rig import Rig
from strongroom.client import bulk
from strongroom.client.connection import connect
from strongroom.client.manifest import KeySettings, read_items
from strongroom.client.routes import Route
from strongroom.protocol.encoding import make_id
from strongroom.protocol.mechanisms import Usage

TARGET = 100.0
PREPARED = 300
"""Key files for each second: more than can be imported in it."""


def ours(rig: Rig) -> Load:
    """`strongroom import --bulk` without its command line."""

    def load(seconds: float) -> float:
        with tempfile.TemporaryDirectory(prefix="strongroom-bench-") as folder, connect(rig.home) as connection:
            _make_keys(Path(folder) / "keys", int(PREPARED * seconds))
            items = read_items(Path(folder) / "keys", KeySettings(usage=[Usage.SIGN]))
            results = bulk.run(connection, items, Route(), bulk.Journal(Path(folder) / "journal"))
            next(results)  # the validation that serves all of them
            started, done = time.perf_counter(), 0
            with contextlib.closing(results):
                for result in results:
                    if result.status != "imported":
                        raise RuntimeError(f"{result.code}: {result.detail}")
                    done += 1
                    if (elapsed := time.perf_counter() - started) >= seconds:
                        return done / elapsed
            raise RuntimeError("all keys were imported before the time was up")

    return load


def target(seconds: float) -> float:
    return TARGET


def kms(seconds: float) -> float:
    """Requests a second that AWS KMS allows an account for ImportKeyMaterial in most regions (its quotas page)."""
    return 15.0


def _make_keys(folder: Path, count: int) -> None:
    folder.mkdir()
    run = make_id("b-")[:12]
    for number in range(count):
        key = ec.generate_private_key(ec.SECP256R1())
        data = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / f"{run}-{number}.pem").write_bytes(data)
