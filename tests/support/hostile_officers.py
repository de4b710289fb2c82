"""The hostile portal as officers meet it, and an officer at the own machine with the real command's code."""

import base64
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from strongroom.client.connection import Connection, connect
from strongroom.client.home import Config, Home, TrustFiles
from strongroom.officer import actions
from strongroom.officer.cards import CardFile, OpenCard, new_card, open_card
from strongroom.protocol import commands as c
from strongroom.protocol.action_table import OFFICER_CLASSES, Body, OfficerClass
from strongroom.protocol.admin_actions import action_digest, describe
from strongroom.protocol.credentials import public_credential
from strongroom.protocol.encoding import canonical_json
from strongroom.protocol.errors import Refused
from tests.support.hardware import Card, now
from tests.support.hostile import ROUTES, HostilePortal
from tests.support.sealed import SealedDevice

PIN = "482915"
CODE = "123456"


class OfficersPortal(HostilePortal):
    """Left alone it keeps what the device opens, collects approvals, and asks the device with each."""

    routes = [
        *ROUTES,
        ("GET", "officer/world", "world"),
        ("POST", "officer/actions", "open"),
        ("GET", "officer/actions/(?P<action>[^/]+)", "action"),
        ("POST", "officer/actions/(?P<action>[^/]+)/approvals", "approval"),
    ]

    def __init__(self, device: SealedDevice) -> None:
        super().__init__(device)
        self.opened: list[bytes] = []
        self.approvals: dict[str, list[str]] = {}

    def shown(self, action: bytes, number: int, **lies: Any) -> dict[str, Any]:
        """An action as the interface gives it."""
        true = {"id": number, "digest": action_digest(action), "state": "open"}
        return true | {"action": base64.b64encode(action).decode()} | lies

    def _world(self, _: dict[str, Any]) -> Any:
        return msgspec.to_builtins(self.device.line().call(c.ListOfficers(), c.ListOfficersReply))

    def _open(self, body: dict[str, Any]) -> dict[str, Any]:
        command = c.OpenAction(request=body["request"])
        self.opened.append(self.device.line().call(command, c.OpenActionReply).action)
        return self.shown(self.opened[-1], len(self.opened) - 1)

    def _action(self, body: dict[str, Any]) -> dict[str, Any]:
        return self.shown(self.opened[int(body["action"])], int(body["action"]))

    def _approval(self, body: dict[str, Any]) -> dict[str, Any]:
        collected = self.approvals.setdefault(body["action"], [])
        collected.append(body["approval"])
        try:
            result = self.device.execute(self.opened[int(body["action"])], collected)
        except Refused as error:
            if error.code != "quorum-not-met":
                raise
            return self.honest("action", body)
        return self.honest("action", body) | {"state": "executed", "result": result}


@dataclass(frozen=True)
class Officer:
    """An officer with a card and the command, before a portal that may be hostile."""

    home: Home
    file: CardFile
    card: OpenCard

    @classmethod
    def make(cls, folder: Path, name: str, officer_class: OfficerClass) -> "Officer":
        file = new_card(name, officer_class, PIN)
        return cls(Home(folder / name), file, open_card(file, PIN))

    def enrolled(self) -> Card:
        """The card as the device's ceremony takes it."""
        return Card(self.card.face.name, self.card.face.officer_class, signing=self.card.signing_key)

    def connection(self, portal: HostilePortal) -> Connection:
        trust = TrustFiles(
            manufacturer_roots=portal.device.factory.root_pem.encode(),
            manufacturer_tls=b"",
            provider_validation=canonical_json(public_credential(portal.validation_key)),
        )
        self.home.configure(Config(url=portal.url, tenant="", provider="", manufacturer_url=""), trust)
        self.home.save_session("a session")
        return connect(self.home, "person")

    def request(self, portal: HostilePortal, body: Body) -> str:
        """Ask for an action; its number."""
        with self.connection(portal) as connection:
            return str(actions.request_action(connection, self.card, body, now()).id)

    def read(self, portal: HostilePortal, number: str) -> dict[str, Any]:
        """What the command shows before it asks whether to approve exactly this."""
        with self.connection(portal) as connection:
            opened = actions.action(connection, number)
            read = actions.review(opened, self.card.face, now())
            roster = actions.in_force(connection, read, now())
            return dict(describe(read)) | dict(actions.compared(connection, read, roster))

    def approve(self, portal: HostilePortal, number: str) -> str:
        """Read it, and approve what was read; the state that it then has."""
        with self.connection(portal) as connection:
            opened = actions.action(connection, number)
            actions.in_force(connection, actions.review(opened, self.card.face, now()), now())
            return actions.approve(connection, self.card, opened, CODE, now()).state


def make_people(folder: Path) -> dict[str, Officer]:
    """Three officers of each class, by name."""
    people = [Officer.make(folder, f"{kind}{n}", kind) for kind in OFFICER_CLASSES for n in (1, 2, 3)]
    return {one.card.face.name: one for one in people}
