"""Which addresses may be called where others choose whom: the one rule for device and portal."""

from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Literal

Reach = Literal["public", "loopback", "private"]
"""How far calls may go: the open internet only; this machine too (development); private networks too, where whoever
runs the device or portal says so."""
_PRIVATE = tuple(map(ip_network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7")))  # RFC 1918, RFC 4193
_NAT64 = IPv6Network("64:ff9b::/96")  # RFC 6052
_NEVER = tuple(map(ip_network, ("64:ff9b:1::/48", "2002::/16", "2001::/32", "fec0::/10", "192.88.99.0/24")))
"""NAT64 of a network's own (RFC 8215), 6to4, Teredo, site-local, and the relays of 6to4: retired, or never public."""


def may_be_called(address: str, reach: Reach) -> bool:
    """Whether an IP address is within `reach`.

    Link-local (where clouds keep their machines' credentials), multicast, unspecified, reserved and documentation
    ranges never are. IPv6 that stands for an IPv4 address is judged as that, and behind NAT64 has to be public.
    """
    found = ip_address(address)
    if isinstance(found, IPv6Address):
        if found.ipv4_mapped is not None:
            return may_be_called(str(found.ipv4_mapped), reach)
        if found in _NAT64:
            return may_be_called(str(IPv4Address(found.packed[12:])), "public")
        if found.scope_id is not None:
            return False
    if found.is_loopback:
        return reach != "public"
    if any(found in network for network in _PRIVATE):
        return reach == "private"
    if any(found in network for network in _NEVER):
        return False
    return found.is_global and not found.is_multicast and not found.is_reserved
