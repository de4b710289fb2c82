"""The people of a development installation, their passwords, one-time-code seeds and PINs: made once and kept."""

import base64
import secrets

import msgspec

from stack.layout import TENANTS, State, write_private
from strongroom.protocol.action_table import OFFICER_CLASSES, OfficerClass


class Person(msgspec.Struct, frozen=True, kw_only=True):
    """Someone who logs in to the portal. `otp_seed` is base32, as an authenticator takes it."""

    username: str
    password: str
    otp_seed: str

    @property
    def email(self) -> str:
        """A customer's, which reaches nobody. A user name may have an @ in it, an address only one."""
        return f"{self.username.replace('@', '.')}@customers.example"


class OfficerPerson(Person, frozen=True, kw_only=True):
    """An officer, with the PIN of the card."""

    officer_class: OfficerClass
    pin: str

    @property
    def email(self) -> str:
        return f"{self.username}@officers.example"


class People(msgspec.Struct, frozen=True, kw_only=True):
    """`admins`: each tenant's, by the tenant's slug. `support` read the officers' pages."""

    officers: list[OfficerPerson]
    admins: dict[str, Person]
    support: list[Person] = []

    def officers_of(self, officer_class: OfficerClass) -> list[OfficerPerson]:
        return [one for one in self.officers if one.officer_class == officer_class]

    def of(self, username: str) -> Person:
        return next(one for one in [*self.officers, *self.admins.values(), *self.support] if one.username == username)


def make_people(state: State) -> People:
    """The people of this state; made if there are none yet."""
    if not state.people_file.exists():
        officers = [
            OfficerPerson(
                username=f"{officer_class}{number}",
                password=_password(),
                otp_seed=_seed(),
                officer_class=officer_class,
                pin=f"{secrets.randbelow(10**8):08}",
            )
            for officer_class in OFFICER_CLASSES
            for number in (1, 2, 3)
        ]
        admins = {slug: Person(username=f"alice@{slug}", password=_password(), otp_seed=_seed()) for slug in TENANTS}
        support = [Person(username="support1", password=_password(), otp_seed=_seed())]
        state.folder("people")
        people = People(officers=officers, admins=admins, support=support)
        write_private(state.people_file, msgspec.json.format(msgspec.json.encode(people)))
    return read_people(state)


def read_people(state: State) -> People:
    return msgspec.json.decode(state.people_file.read_bytes(), type=People)


def _password() -> str:
    return "-".join(secrets.token_hex(3) for _ in range(4))


def _seed() -> str:
    return base64.b32encode(secrets.token_bytes(20)).decode()
