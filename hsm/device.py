"""The device: its secret and identity, its state, and what an unsealed world gives it.

blank → manufactured (identity, certificate) → sealed ⇄ operational. A start always begins sealed, once initialised.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from hsm import records as r
from hsm.clock import Clock
from hsm.keytree import KeyTree
from hsm.measurement import measure
from hsm.records import Records
from hsm.revocator_messages import Stands
from hsm.shared import Generations, Sessions
from hsm.standings import Standings
from hsm.store import Store
from strongroom.protocol import certificates, jws
from strongroom.protocol.addresses import Reach
from strongroom.protocol.certificates import Mode
from strongroom.protocol.encoding import b64u
from strongroom.protocol.errors import Refused
from strongroom.protocol.sealing import RecipientPrivateKey
from strongroom.protocol.statements import DeviceState, Endorsement


@dataclass
class UnsealAttempt:
    """Parts collected so far, the fresh key that they come under, and how long wrong ones make everyone wait."""

    key: RecipientPrivateKey
    expires: float
    parts: dict[str, bytes] = field(default_factory=dict)


@dataclass
class Device:
    """All that the administrative process holds. Handlers get it and nothing else."""

    folder: Path
    records: Records
    generations: Generations
    sessions: Sessions
    boot_epoch: int
    measurement: str
    clock: Clock
    standings: Standings = field(default_factory=Standings)
    identity: Ed25519PrivateKey | None = None
    certificate: x509.Certificate | None = None
    root: x509.Certificate | None = None
    world: str = ""
    unsealed: bool = False
    attempt: UnsealAttempt | None = None
    wrong_parts: int = 0
    wait_until: float = 0.0
    # How the process reaches its workers; set by the server.
    worker_heads: Callable[[str], dict[str, tuple[int, bytes]]] = lambda _partition: {}
    on_gap: Callable[[str, int], None] = lambda _lane, _gap: None
    worker_pids: Callable[[], list[int]] = list
    drop_key: Callable[[str], None] = lambda _path: None
    ask_revocator: Callable[[list[str]], dict[str, Stands]] = lambda _paths: {}
    endpoints_may_be_private: bool = False

    @property
    def state(self) -> DeviceState:
        if self.certificate is None:
            return "blank"
        if not self.world:
            return "manufactured"
        return "operational" if self.unsealed else "sealed"

    @property
    def mode(self) -> Mode:
        """What the manufacturer certified; a device without a certificate claims nothing better than development."""
        return "development" if self.certificate is None else certificates.profile_of(self.certificate).mode

    @property
    def device_id(self) -> str:
        return "" if self.identity is None else certificates.device_id(self.identity.public_key())

    @property
    def reach(self) -> Reach:
        """Which addresses customers' endpoints may have: also this machine's on a development device, also those of
        private networks where it was started so."""
        if self.endpoints_may_be_private:
            return "private"
        return "loopback" if self.mode == "development" else "public"

    def now(self) -> int:
        """Unix seconds, never fewer than before."""
        return self.clock.now()

    def keep_clock(self) -> None:
        """Put the time on record, so that it does not run backwards over a restart."""
        with self.records.transaction() as changes:
            changes.put("device/clock", r.ClockMark(self.now()))

    def sign(self, statement: jws.Statement) -> str:
        """`statement` signed by the identity key, with the device's certificate."""
        if self.identity is None or self.certificate is None:
            raise Refused("hsm-wrong-state", "the device has no certificate")
        return jws.sign(statement, self.identity, x5c=certificates.to_x5c(self.certificate))

    def endorse_unseal_key(self, key: RecipientPrivateKey, nonce: str) -> str:
        """The identity's word, over the officer's nonce, that `key` was made in this device for unseal parts."""
        public = key.public()
        return self.sign(
            Endorsement(
                device=self.device_id,
                purpose="unseal-key",
                key_id=public.key_id("uk_"),
                public_key=b64u(public.raw),
                nonce=nonce,
                issued_at=self.now(),
            )
        )

    def device_secret(self) -> bytes:
        return (self.folder / "device-secret").read_bytes()

    def unlocked_records(self, world_key: bytes) -> Records:
        """The records as they can be opened with the world key."""
        return Records(
            self.records.store, KeyTree(self.device_secret(), world_key), self.generations, self.standings.changed
        )

    def unlock(self, records: Records) -> None:
        """Become operational: from here on world records can be opened."""
        self.records = records
        self.unsealed = True

    def world_key(self) -> bytes:
        """For sharing the unseal secret anew. Raises `Refused("hsm-sealed")`."""
        return self.records.keys.world_key()

    def lock(self) -> None:
        """Forget the world key: sealed from here on. The server ends the workers."""
        self.records = Records(self.records.store, KeyTree(self.device_secret()), self.generations)
        self.unsealed = False

    def officers(self) -> r.Officers:
        return self.records.need("world/officers", r.Officers)


def open_device(folder: Path) -> Device:
    """The device whose state is in `folder` (0700), as it is at a start: blank, manufactured or sealed.

    The device secret stands for a hardware device's fuses: a 0600 file, made at the first start.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder.chmod(0o700)
    (folder / "lanes").mkdir(mode=0o700, exist_ok=True)
    secret = _device_secret(folder)
    generations = Generations()
    records = Records(Store(folder / "store.db"), KeyTree(secret), generations)
    boot = records.get("device/boot", r.Boot) or r.Boot(0)
    with records.transaction() as changes:
        changes.put("device/boot", r.Boot(boot.epoch + 1))
    records.store.forget_history()  # a kill may have come between a destruction and this
    clock = Clock((records.get("device/clock", r.ClockMark) or r.ClockMark(0)).mark)
    device = Device(folder, records, generations, Sessions(), boot.epoch + 1, measure(), clock)
    if (identity := records.get("device/identity", r.Identity)) is not None:
        device.identity = Ed25519PrivateKey.from_private_bytes(identity.private_key)
    if (certificate := records.get("device/certificate", r.Certificate)) is not None:
        device.certificate = x509.load_pem_x509_certificate(certificate.certificate.encode())
        device.root = x509.load_pem_x509_certificate(certificate.root.encode())
    if (unsealing := records.get("device/unsealing", r.Unsealing)) is not None:
        device.world = unsealing.world
    return device


def _device_secret(folder: Path) -> bytes:
    path = folder / "device-secret"
    if not path.exists():
        fresh = folder / "device-secret.new"
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        os.write(descriptor, os.urandom(32))
        os.fsync(descriptor)
        os.close(descriptor)
        fresh.rename(path)
        parent = os.open(folder, os.O_RDONLY)
        os.fsync(parent)
        os.close(parent)
    return path.read_bytes()
