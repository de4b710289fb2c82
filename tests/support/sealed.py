"""A real sealed process for tests, from a blank device to one with partitions: everything but a portal."""

import os
import socket
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any

from strongroom.protocol import action_table, admin_actions, certificates, commands, jws
from strongroom.protocol.credentials import PublicCredential
from strongroom.protocol.errors import Refused
from strongroom.protocol.log import Entry, check_extends, check_lane
from strongroom.protocol.sealing import RecipientPublicKey
from strongroom.protocol.statements import Checkpoint, Endorsement
from tests.support.customer import OPERATIONS, Customer
from tests.support.hardware import Card, Factory, Line, nonce, now

__all__ = ["OPERATIONS", "Card", "Customer", "Factory", "Line", "SealedDevice", "nonce", "now"]

ROOT = Path(__file__).resolve().parents[2]


class SealedDevice:
    """The process `python -m hsm` over a state folder, and the people around it."""

    def __init__(self, folder: Path, workers: int = 2, mode: certificates.Mode = "development") -> None:
        self.folder = folder / "hsm"
        self.socket = folder / "hsm.sock"
        self.log = folder / "hsm.log"
        self.workers = workers
        self.python = [sys.executable]
        self.source = ROOT
        self.options: list[str] = []
        self.popen: dict[str, Any] = {}
        self.factory = Factory(mode)
        self.cards = [Card(f"{kind}{n}", kind) for kind in action_table.OFFICER_CLASSES for n in (1, 2, 3)]
        self.world = ""
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, greet_as: str = "portal") -> None:
        """Start the process, and wait until it welcomes this caller; its words are appended to `log`."""
        command = [*self.python, "-m", "hsm", "--state", str(self.folder), "--socket", str(self.socket)]
        command += ["--workers", str(self.workers), *self.options]
        self.socket.unlink(missing_ok=True)
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, cwd=self.source, stdout=log, stderr=log, **self.popen)
        deadline = time.monotonic() + 20
        while time.monotonic() < deadline and self.process.poll() is None:
            try:
                with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
                    sock.connect(str(self.socket))
            except OSError:
                time.sleep(0.02)
            else:
                return
        raise TimeoutError(f"the sealed process does not answer: {self.log.read_text()[-2000:]}")

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(20)
            self.process = None

    def kill(self) -> None:
        """SIGKILL the parent: its workers die with it."""
        if self.process is not None:
            self.process.kill()
            self.process.wait(20)
            self.process = None

    @property
    def pid(self) -> int:
        if self.process is None:
            raise RuntimeError("not started")
        return self.process.pid

    def line(self, lane: str = "admin", caller: str = "portal") -> Line:
        return Line(self.socket, lane, caller)

    def console(self) -> Line:
        return self.line(caller="console")

    def status(self) -> commands.StatusReply:
        return self.console().call(commands.Status(), commands.StatusReply)

    def of(self, officer_class: str) -> list[Card]:
        return [card for card in self.cards if card.officer_class == officer_class]

    def manufacture(self) -> None:
        console = self.console()
        csr = console.call(commands.MakeIdentity(), commands.MakeIdentityReply).csr
        certificate = self.factory.certify(csr)
        console.call(commands.InstallCertificate(certificate=certificate, root=self.factory.root_pem), commands.Done)

    def initialise(self, **thresholds: int) -> commands.Initialise:
        """The ceremony's command; K is 2 for each class unless given."""
        return commands.Initialise(
            officers=[card.enrolment() for card in self.cards],
            thresholds=dict.fromkeys(action_table.OFFICER_CLASSES, 2) | thresholds,
        )

    def ceremony(self, **thresholds: int) -> commands.InitialiseReply:
        command = self.initialise(**thresholds)
        reply = self.console().call(command, commands.InitialiseReply)
        self.world = reply.world
        for card in self.of("security"):
            info = commands.unseal_part_info(self.world, card.fingerprint)
            card.part = card.sealing.open(reply.parts[card.fingerprint], info)
        return reply

    def give_part(self, card: Card, part: bytes | None = None) -> commands.GiveUnsealPartReply:
        line, mine = self.line(), nonce()
        begun = line.call(commands.BeginUnseal(nonce=mine), commands.BeginUnsealReply)
        endorsement, certified = certificates.verify_statement(
            begun.endorsement, Endorsement, [self.factory.root], "device", now()
        )
        assert (endorsement.nonce, endorsement.purpose) == (mine, "unseal-key")
        assert certified.device_id == endorsement.device
        info = commands.unseal_part_info(self.world, card.fingerprint, endorsement.key_id)
        sealed = RecipientPublicKey.from_text(endorsement.public_key).seal(part or card.part, info)
        give = commands.GiveUnsealPart(key_id=endorsement.key_id, card=card.fingerprint, part=sealed)
        return line.call(give, commands.GiveUnsealPartReply)

    def take_parts(self, cards: list[Card] | None = None) -> commands.ListUnsealPartsReply | None:
        """Cards (all security cards) receive their parts of the newest sharing. None where officers never changed."""
        try:
            shared = self.console().call(commands.ListUnsealParts(), commands.ListUnsealPartsReply)
        except Refused as refusal:
            if refusal.code != "not-found":
                raise
            return None
        for card in [one for one in cards or self.of("security") if one.fingerprint in shared.parts]:
            info = commands.unseal_part_info(self.world, card.fingerprint)
            card.part = card.sealing.open(shared.parts[card.fingerprint], info)
        return shared

    def unseal(self) -> None:
        for card in self.of("security")[:2]:
            self.give_part(card)

    def bring_up(self) -> None:
        """From nothing to operational."""
        self.start()
        self.manufacture()
        self.ceremony()
        self.unseal()

    def restart(self) -> None:
        self.restart_sealed()
        self.unseal()

    def restart_sealed(self) -> None:
        self.stop()
        self.start()

    def turn_clock(self, seconds: int, folder: Path) -> None:
        """From the next start the device's wall clock is ahead. `folder` is where that is arranged."""
        shifted = (
            "import time\nactual, actual_ns = time.time, time.time_ns\n"
            f"time.time = lambda: actual() + {seconds}\n"
            f"time.time_ns = lambda: actual_ns() + {seconds} * 1_000_000_000\n"
        )
        (folder / "sitecustomize.py").write_text(shifted)
        self.popen = {"env": {**os.environ, "PYTHONPATH": str(folder)}}

    # --- what is on the disk ---

    def stored(self) -> dict[str, bytes]:
        """Sealed records by path, as the store has them now."""
        with closing(sqlite3.connect(self.folder / "store.db")) as store:
            return dict(store.execute("SELECT path, sealed FROM record"))

    def files_with(self, sealed: bytes) -> list[str]:
        """Files of the state, the store's journal too, that hold any piece of a sealed record."""
        pieces = [sealed[place : place + 32] for place in range(0, len(sealed) - 31, 32)]
        files = {path.name: path.read_bytes() for path in self.folder.rglob("*") if path.is_file()}
        return sorted(name for name, data in files.items() if any(piece in data for piece in pieces))

    # --- log ---

    def checkpoint(self, partition: str) -> Checkpoint:
        command = commands.MakeCheckpoint(partition=partition, nonce=nonce())
        token = self.line().call(command, commands.MakeCheckpointReply).checkpoint
        return certificates.verify_statement(token, Checkpoint, [self.factory.root], "device", now())[0]

    def entries(self, partition: str) -> dict[str, list[bytes]]:
        """Every entry of a partition by lane, read as the portal's copier reads them."""
        line = self.line()
        found: dict[str, list[bytes]] = {}
        for lane in line.call(commands.ListLanes(), commands.ListLanesReply).lanes:
            cursor, more = "", True
            while more:
                reply = line.call(commands.ReadLane(lane=lane, cursor=cursor), commands.ReadLaneReply)
                cursor, more = reply.cursor, reply.more
                for one in reply.entries:
                    if one.partition == partition:
                        found.setdefault(lane, []).append(one.entry)
        return found

    def verified_log(self, partition: str, since: Checkpoint | None = None) -> dict[str, list[Entry]]:
        """The partition's log by lane, checked against a fresh checkpoint as a customer checks it."""
        checkpoint, raw = self.checkpoint(partition), self.entries(partition)
        if since is not None:
            check_extends(since, checkpoint, raw)
        return {lane: check_lane(lane, raw.get(lane, []), partition, head) for lane, head in checkpoint.lanes.items()}

    # --- quorum ---

    def request(self, requester: Card, body: action_table.Body) -> str:
        request = admin_actions.ActionRequest(
            action=action_table.action_name(body), body=body, world=self.world, nonce=nonce(), created_at=now()
        )
        return jws.sign(request, requester.signing)

    def open(self, requester: Card, body: action_table.Body) -> bytes:
        command = commands.OpenAction(request=self.request(requester, body))
        return self.line().call(command, commands.OpenActionReply).action

    def action_request(self, requester: Card, owner: PublicCredential, tenant: str = "acme") -> str:
        return self.request(requester, action_table.DefinePartition(tenant=tenant, label="main", owner=owner))

    def open_action(self, requester: Card, owner: PublicCredential, tenant: str = "acme") -> bytes:
        return self.open(requester, action_table.DefinePartition(tenant=tenant, label="main", owner=owner))

    def execute(self, action: bytes, approvals: list[str]) -> str:
        command = commands.ExecuteAction(action=action, approvals=approvals)
        return self.line().call(command, commands.ExecuteActionReply).result

    def define_partition(self, owner: PublicCredential, tenant: str = "acme") -> str:
        first, second, third = self.of("partition")
        action = self.open_action(first, owner, tenant)
        return self.execute(action, [second.approve(action), third.approve(action)])

    def rotate(self, body: action_table.Body) -> str:
        """Have the security officers' quorum rotate a wrapping key. Returns the new one's id."""
        first, second, third = self.of("security")
        action = self.open(first, body)
        return self.execute(action, [second.approve(action), third.approve(action)])

    def customer(self, tenant: str = "acme") -> "Customer":
        return Customer(self, tenant)
