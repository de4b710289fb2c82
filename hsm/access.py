"""A partition's access list as it is looked up: which principal may do what."""

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from hsm.records import Partition
from strongroom.protocol.access import Principal, read_list
from strongroom.protocol.errors import Refused
from strongroom.protocol.mechanisms import with_implied

BYTES_A_CHARACTER = 8
"""What a listed principal takes in memory for each character that names it in the document, about."""


class Access:
    """The access list of one partition record. It was checked when it was put in force.

    Raises `Refused("partition-destroyed")`.
    """

    def __init__(self, partition: Partition) -> None:
        if partition.destroyed:
            raise Refused("partition-destroyed")
        listed: list[Principal] = []
        if partition.document:
            listed = read_list(partition.document).principals
        self._principals = {one.principal: one for one in listed}
        self._public_keys: dict[str, Ed25519PublicKey] = {}
        self.weight = 4000 + BYTES_A_CHARACTER * len(partition.document)

    def check(self, principal: str, right: str) -> None:
        """Raise `Refused("access-denied")` unless `principal` has `right`."""
        entry = self._principals.get(principal)
        if entry is None or (right not in entry.rights and right not in with_implied(entry.rights)):
            raise Refused("access-denied", f"{right} is not granted")

    def check_listed(self, principal: str) -> None:
        """Raise `Refused("access-denied")` unless `principal` is an API client with any right at all."""
        entry = self._principals.get(principal)
        if entry is None or not entry.rights or not principal.startswith("client:"):
            raise Refused("access-denied", "not an API client on the access list")

    def device(self, fingerprint: str, right: str) -> Ed25519PublicKey:
        """The listed public key of a device with `right`. Raises `Refused("device-not-listed" | "access-denied")`."""
        entry = self._principals.get(f"device:{fingerprint}")
        if entry is None or entry.credential is None:
            raise Refused("device-not-listed")
        self.check(entry.principal, right)
        if fingerprint not in self._public_keys:
            self._public_keys[fingerprint] = entry.credential.public_key()
        return self._public_keys[fingerprint]
