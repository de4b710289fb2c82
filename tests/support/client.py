"""A customer at the own machine, with the real client, before a portal that may be hostile."""

import functools
import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom.client import access, imports, log
from strongroom.client.batches import BatchOutcome, operate_batch
from strongroom.client.connection import Connection, connect
from strongroom.client.home import Config, Home, TrustFiles
from strongroom.client.in_force import InForce
from strongroom.client.material import read_material
from strongroom.client.operations import Outcome, operate
from strongroom.protocol.access import client_principal, device_principal
from strongroom.protocol.credentials import public_credential
from strongroom.protocol.encoding import canonical_json
from strongroom.protocol.instructions import Item, Parameters
from strongroom.protocol.mechanisms import KeyType, Usage
from strongroom.protocol.statements import Receipt
from tests.support.customer import OPERATIONS
from tests.support.hostile import HostilePortal
from tests.support.maker import PROVIDER, Manufacturer
from tests.support.materials import make_terms, material_of

CLIENT = "cl_alices"


def now() -> int:
    return int(time.time())


@dataclass(frozen=True)
class Client:
    """The folder of a customer whose partition some officers have defined, and the portal that it is served by."""

    home: Home
    portal: HostilePortal

    @classmethod
    def make(cls, folder: Path, portal: HostilePortal, manufacturer: Manufacturer) -> "Client":
        """With owner and device credentials, and a partition; nobody is on its access list yet."""
        home = Home(folder)
        trust = TrustFiles(
            manufacturer_roots=manufacturer.public("root.pem"),
            manufacturer_tls=manufacturer.public("tls.pem"),
            provider_validation=canonical_json(public_credential(portal.validation_key)),
        )
        config = Config(url=portal.url, tenant="acme", provider=PROVIDER, manufacturer_url=manufacturer.url)
        home.configure(config, trust)
        home.save_token("token")
        home.make_key("device")
        home.use_partition(portal.device.define_partition(home.make_key("owner")))
        return cls(home, portal)

    @property
    def partition(self) -> str:
        return self.home.partition()

    @property
    def owner_key(self) -> Ed25519PrivateKey:
        return self.home.key("owner")

    @property
    def device_key(self) -> Ed25519PrivateKey:
        return self.home.key("device")

    @property
    def device(self) -> str:
        """This machine's device as a principal."""
        return device_principal(self.home.credential("device"))

    @functools.cached_property
    def connection(self) -> Connection:
        return connect(self.home)

    def close(self) -> None:
        self.connection.close()

    def copied(self, folder: Path, *, without: str = "") -> "Client":
        """The same customer with a copy of the folder, as of now; `without` one of its parts."""
        shutil.copytree(self.home.path, folder, ignore=shutil.ignore_patterns(without) if without else None)
        return Client(Home(folder), self.portal)

    def change_access(self, change: access.Change) -> InForce:
        return access.update(self.connection, change, now())

    def list_everyone(self) -> None:
        """This device and the API client get every right."""
        credential = self.home.credential("device")
        device = access.allow(self.device, ["import", *OPERATIONS], credential=credential)
        client = access.allow(client_principal(CLIENT), OPERATIONS)
        self.portal.client = client_principal(CLIENT)
        self.change_access(lambda principals: client(device(principals)))

    def import_key(self, name: str, key_type: KeyType = KeyType.AES_256, **terms: Any) -> Receipt:
        """Bring a fresh key in; in `signed` mode unless `terms` say otherwise."""
        secret = terms.pop("material", None) or material_of(key_type)
        sealed = make_terms(key_type, **({"authorisation": "signed"} | terms))
        return imports.import_key(self.connection, read_material(secret, key_type), name, sealed, now()).receipt

    def operate(self, operation: Usage, key: str, payload: bytes, **parameters: Any) -> Outcome:
        how = {name: parameters.pop(name, False) for name in ("token_mode", "sealed")}
        return operate(self.connection, operation, key, payload, now=now(), parameters=Parameters(**parameters), **how)

    def operate_batch(
        self, operation: Usage, key: str, items: list[Item], *, token_mode: bool = False, **parameters: Any
    ) -> BatchOutcome:
        how = {"token_mode": token_mode, "sealed": parameters.pop("sealed", False)}
        given = Parameters(**parameters)
        return operate_batch(self.connection, operation, key, items, now=now(), parameters=given, **how)

    def verify_log(self) -> log.VerifiedLog:
        """Does not wait for a portal's copy to catch up: nothing here is ever late."""
        return log.verify(self.connection, now(), lambda _: None)
