"""What may be called: the open internet; in development this machine; private networks where somebody says so."""

import pytest

from strongroom.protocol.addresses import Reach, may_be_called

REACHES: tuple[Reach, ...] = ("public", "loopback", "private")
PUBLIC = ["8.8.8.8", "2606:4700::1", "::ffff:8.8.8.8", "64:ff9b::808:808"]
LOOPBACK = ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"]
PRIVATE = ["10.0.0.1", "172.16.5.4", "192.168.1.1", "fc00::1", "fd00:ec2::254", "::ffff:10.0.0.1"]
NEVER = [
    "169.254.169.254",
    "::ffff:169.254.169.254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "0.0.0.0",  # noqa: S104
    "0.1.2.3",
    "::",
    "100.64.0.1",
    "192.0.0.1",
    "192.0.2.1",
    "192.88.99.1",
    "198.18.0.1",
    "198.51.100.1",
    "203.0.113.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "ff02::1",
    "100::1",
    "2001:db8::1",
    "2001:2::1",
    "2002:a00:1::",
    "2002:808:808::",
    "2001:0:a00:1::1",
    "64:ff9b::a00:1",
    "64:ff9b::7f00:1",
    "64:ff9b:1::a00:1",
    "::127.0.0.1",
]


@pytest.mark.parametrize(
    ("addresses", "within"),
    [(PUBLIC, REACHES), (LOOPBACK, ("loopback", "private")), (PRIVATE, ("private",)), (NEVER, ())],
    ids=["the open internet", "this machine", "private networks", "whatever is special"],
)
def test_an_address_is_called_within_its_reach_only(addresses: list[str], within: tuple[Reach, ...]) -> None:
    for address in addresses:
        assert tuple(one for one in REACHES if may_be_called(address, one)) == within, address


def test_a_name_is_no_address() -> None:
    with pytest.raises(ValueError, match="localhost"):
        may_be_called("localhost", "private")
