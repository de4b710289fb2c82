"""Certifying devices: who gets a certificate, and what it says."""

from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from manufacturer import hierarchy, services
from manufacturer.hierarchy import Hierarchies
from manufacturer.selectors import Device as Line
from manufacturer.selectors import all_devices, get_device
from manufacturer.store import Store
from strongroom.protocol.certificates import Mode, verify_certificate
from strongroom.protocol.errors import Refused
from tests.support.device import Device, certificate_request


class Certify:
    def __init__(self, store: Store, now: int) -> None:
        self._store, self._now = store, now

    def __call__(self, request: bytes, mode: Mode = "production", provider: str = "Acme Hosting") -> Line:
        return services.certify_device(
            store=self._store,
            hierarchies=hierarchy.load(self._store),
            request=request,
            mode=mode,
            provider=provider,
            now=self._now,
        )


@pytest.fixture
def certify(store: Store, now: int) -> Certify:
    return Certify(store, now)


@pytest.mark.parametrize("mode", ["production", "development"])
def test_a_device_gets_a_certificate_of_its_mode(
    certify: Certify, hierarchies: Hierarchies, now: int, mode: Mode
) -> None:
    device = Device()
    certificate = x509.load_pem_x509_certificate(certify(device.request, mode).certificate.encode())
    certified = verify_certificate(certificate, [hierarchies[mode].root.certificate], "device", now)
    assert (certified.mode, certified.device_id, certified.subject) == (mode, device.id, f"CN={device.id}")
    assert not certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca


def test_it_stands_in_the_provider_table_in_force(certify: Certify, store: Store) -> None:
    device = Device()
    certify(device.request, provider="Acme Hosting")
    with store.reading() as register:
        line = get_device(register, device.id)
    assert line is not None
    assert (line.provider, line.status, line.mode) == ("Acme Hosting", "in-force", "production")


def test_the_same_request_again_gives_the_same_certificate(certify: Certify, store: Store) -> None:
    device = Device()
    assert certify(device.request) == certify(device.request)
    with store.reading() as register:
        assert len(all_devices(register)) == 1


@pytest.mark.parametrize("other", [{"mode": "development"}, {"provider": "Globex Hosting"}])
def test_a_device_is_not_certified_for_another_mode_or_provider(certify: Certify, other: dict[str, Any]) -> None:
    device = Device()
    certify(device.request)
    with pytest.raises(Refused) as refused:
        certify(device.request, **other)
    assert refused.value.code == "conflict"


def test_development_is_refused_in_production(certify: Certify, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STRONGROOM_ENV", "production")
    with pytest.raises(Refused) as refused:
        certify(Device().request, "development")
    assert refused.value.code == "development-refused"
    with store.reading() as register:
        assert all_devices(register) == []


def test_a_key_of_another_kind_is_refused(certify: Certify) -> None:
    with pytest.raises(Refused) as refused:
        certify(certificate_request(generate_private_key(SECP256R1()), SHA256()))
    assert refused.value.code == "key-weak"


def test_a_request_that_its_own_key_did_not_sign_is_refused(certify: Certify) -> None:
    request = x509.load_pem_x509_csr(Device().request)
    altered = bytearray(request.public_bytes(Encoding.DER))
    altered[-1] ^= 1
    pem = x509.load_der_x509_csr(bytes(altered)).public_bytes(Encoding.PEM)
    with pytest.raises(Refused) as refused:
        certify(pem)
    assert refused.value.code == "signature-invalid"


@pytest.mark.parametrize("request_", [b"", b"not PEM", Device().request[:-60]])
def test_what_is_no_request_is_refused(certify: Certify, request_: bytes) -> None:
    with pytest.raises(Refused) as refused:
        certify(request_)
    assert refused.value.code == "malformed"


@pytest.mark.parametrize("provider", ["", "  ", "two\nlines", "x" * 101])
def test_a_provider_needs_a_sensible_name(certify: Certify, provider: str) -> None:
    with pytest.raises(Refused) as refused:
        certify(Device().request, provider=provider)
    assert refused.value.code == "malformed"


def test_a_device_may_be_retired_and_come_back_but_revoked_is_for_ever(device: Device, store: Store) -> None:
    services.set_device_status(store=store, device=device.id, status="retired")
    services.set_device_status(store=store, device=device.id, status="in-force")
    services.set_device_status(store=store, device=device.id, status="revoked")
    with pytest.raises(Refused) as refused:
        services.set_device_status(store=store, device=device.id, status="in-force")
    assert refused.value.code == "conflict"


def test_an_unknown_device_has_no_status(store: Store) -> None:
    with pytest.raises(Refused) as refused:
        services.set_device_status(store=store, device="dev_none", status="revoked")
    assert refused.value.code == "not-found"
