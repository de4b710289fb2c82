"""Officers as the portal's tests meet them: a card of the sealed device, a login, and an authenticator."""

import time
from dataclasses import dataclass
from typing import Any

import httpx
import msgspec

from strongroom.protocol import jws
from strongroom.protocol.action_table import Body, DefinePartition, action_name
from strongroom.protocol.admin_actions import ActionRequest, Approval
from strongroom.protocol.credentials import PublicCredential
from tests.support.otp import fresh_code
from tests.support.portal import Browser, token_for
from tests.support.sealed import Card, SealedDevice, nonce


@dataclass
class Officer:
    """One officer at the own machine."""

    card: Card
    user: Any
    authenticator: Any

    @property
    def portal(self) -> Browser:
        return Browser(token_for(self.user))

    def code(self) -> str:
        return fresh_code(self.authenticator)

    def sign(self, world: str, body: Body) -> str:
        """A request for an action of this body."""
        request = ActionRequest(
            action=action_name(body), body=body, world=world, nonce=nonce(), created_at=int(time.time())
        )
        return jws.sign(request, self.card.signing)

    def sign_request(self, world: str, asked: dict[str, Any], **changes: Any) -> str:
        body = {"tenant": "acme", "label": asked["label"], "owner": msgspec.convert(asked["owner"], PublicCredential)}
        return self.sign(world, DefinePartition(**(body | changes)))

    def sign_approval(self, action: dict[str, Any], **changes: Any) -> str:
        fields = {"action_digest": action["digest"], "approved_at": int(time.time())}
        return jws.sign(Approval(**(fields | changes)), self.card.signing)

    def open(self, world: str, asked: dict[str, Any], **changes: Any) -> httpx.Response:
        """Ask for an action that defines the partition that was asked for."""
        body = {"request": self.sign_request(world, asked, **changes), "partition_request": asked["request"]}
        return self.portal.post("officer/actions", json=body)

    def open_rotation(self, world: str, body: Body) -> httpx.Response:
        """Ask for an action that answers no customer's request."""
        return self.portal.post("officer/actions", json={"request": self.sign(world, body)})

    def approve(self, action: dict[str, Any], **changes: Any) -> httpx.Response:
        """Give an approval with a fresh code; `changes` spoil it."""
        body = {"approval": self.sign_approval(action), "otp": self.code()}
        return self.portal.post(f"officer/actions/{action['id']}/approvals", json=body | changes)


def make_officers(device: SealedDevice) -> dict[str, Officer]:
    """An officer for each card of the device, by name."""
    from portal.authenticators.models import Authenticator
    from portal.quorum.models import OfficerProfile
    from tenants.models import User

    officers = {}
    for card in device.cards:
        user = User.objects.create_user(card.name)
        OfficerProfile.objects.using("provider").create(
            user_id=user.pk, officer_class=card.officer_class, name=card.name
        )
        officers[card.name] = Officer(card, user, Authenticator.objects.create(user=user, name="default"))
    return officers
