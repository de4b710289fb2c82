"""A real portal in the test's own process: its WSGI application on real PostgreSQL, Valkey and a real sealed device."""

import contextlib
import logging
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import django
import httpx
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.core.management import call_command

from stack import postgres
from stack.layout import State
from stack.run import remove_runtime
from stack.valkey import valkey_command
from strongroom.protocol.credentials import public_credential
from tests.support.sealed import OPERATIONS, Customer, SealedDevice

PASSWORD = "correct horse battery staple"
VALIDATION_KEY = Ed25519PrivateKey.generate()


@contextlib.contextmanager
def running_servers(state: State) -> Iterator[None]:
    """Embedded PostgreSQL with its database, and Valkey."""
    state.prepare()
    state.prepare_runtime()
    state.lock.touch()
    postgres.make_cluster(state)
    user = postgres.system_user()
    processes = [
        subprocess.Popen(postgres.serve_command(state), user=user, group=user, extra_groups=[], cwd="/"),
        subprocess.Popen(valkey_command(state), stdout=subprocess.DEVNULL),
    ]
    try:
        deadline = time.monotonic() + 30
        while not (postgres.is_ready(state) and state.valkey_socket.exists()):
            if time.monotonic() > deadline:
                raise TimeoutError("the servers do not answer")
            time.sleep(0.1)
        postgres.make_database(state)
        yield
    finally:
        # The data plane listens as long as this process lives; it need not say that its database goes away now.
        logging.getLogger("portal.dataplane.changes").setLevel(logging.ERROR)
        for process in processes:
            process.send_signal(signal.SIGINT)
        for process in processes:
            process.wait(20)
        remove_runtime(state)


def set_up_portal(state: State, hsm_socket: Path) -> None:
    """Read the settings as for a development installation on `state`, migrate, and prepare the roles."""
    secret = state.folder("provider")
    (secret / "secret-key").write_text("only for tests " * 4)
    pem = VALIDATION_KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (secret / "validation.pem").write_bytes(pem)
    (secret / "engine-key").write_bytes(os.urandom(32))
    (secret / "engine-key").chmod(0o600)
    told = {
        "DJANGO_SETTINGS_MODULE": "portal.settings",
        "DATABASE_URL": postgres.database_url(state, "strongroom_app"),
        "DATABASE_PROVIDER_URL": postgres.database_url(state, "strongroom_provider"),
        "DATABASE_OWNER_URL": postgres.database_url(state, postgres.OWNER),
        "CELERY_BROKER_URL": f"redis+socket://{state.valkey_socket}",
        "CACHE_URL": f"redis+socket://{state.valkey_socket}",
        "STRONGROOM_ENV": "development",
        "STRONGROOM_SECRET_KEY_FILE": str(secret / "secret-key"),
        "STRONGROOM_VALIDATION_KEY_FILE": str(secret / "validation.pem"),
        "STRONGROOM_ENGINE_KEY_FILE": str(secret / "engine-key"),
        "STRONGROOM_HSM_SOCKET": str(hsm_socket),
        "STRONGROOM_PROVIDER": "provider",
    }
    before = {name: os.environ.get(name) for name in told}
    os.environ.update(told)
    try:
        django.setup()
    finally:
        # What other tests start must not take this portal's database for its own.
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value
    call_command("migrate", database="owner", verbosity=0)
    call_command("prepare_roles", verbosity=0)


class Browser(httpx.Client):
    """An HTTP client of the portal's WSGI application, with a bearer token, at an address."""

    def __init__(self, token: str = "", address: str = "127.0.0.1") -> None:
        from portal.wsgi import application

        super().__init__(
            transport=httpx.WSGITransport(app=application, raise_app_exceptions=False, remote_addr=address),
            base_url="http://localhost/api/v1/",
            headers={"Authorization": f"Bearer {token}"} if token else {},
        )


def code_of(response: httpx.Response) -> str:
    """The stable code of a problem document, which it must be."""
    assert response.headers["content-type"] == "application/problem+json", response.text
    problem = response.json()
    assert problem["type"] == f"urn:strongroom:error:{problem['code']}"
    assert problem["status"] == response.status_code
    return problem["code"]


def token_for(user: Any) -> str:
    """A token of a person who has logged in, without the login."""
    from knox.models import AuthToken

    return AuthToken.objects.create(user=user)[1]


@dataclass
class Organisation:
    """A tenant with its people: Alice or Charlie owns it, Bob operates, Dora audits; `app` is its API client."""

    tenant: Any
    owner: Any
    operator: Any
    auditor: Any
    client_id: str
    client_token: str

    def as_owner(self) -> Browser:
        return Browser(token_for(self.owner))

    def as_operator(self) -> Browser:
        return Browser(token_for(self.operator))

    def as_auditor(self) -> Browser:
        return Browser(token_for(self.auditor))

    def as_client(self) -> Browser:
        return Browser(self.client_token)


def make_organisation(slug: str, owner: str) -> Organisation:
    from tenants import services
    from tenants.models import Membership, User

    tenant = services.create_tenant(slug=slug, name=slug.title())
    people = {}
    for name, role in ((owner, "owner"), (f"bob@{slug}", "operator"), (f"dora@{slug}", "auditor")):
        people[role] = User.objects.create_user(name)
        Membership.objects.create(user=people[role], tenant=tenant, role=role)
    client = services.create_client(tenant=tenant, name="app", actor=owner)
    _, token = services.create_token(tenant=tenant, client_id=client.client_id, days=1, actor=owner)
    return Organisation(tenant, people["owner"], people["operator"], people["auditor"], client.client_id, token)


def make_customer(organisation: Organisation, device: SealedDevice) -> Customer:
    """The organisation's owner credential, device and partition inside the TEE; the portal knows the partition."""
    from django.utils import timezone

    from strongroom.protocol.access import client_principal
    from tenants import services
    from tenants.models import Partition

    customer = Customer(device, organisation.tenant.slug)
    customer.client = client_principal(organisation.client_id)
    customer.allow(customer.device_entry(["import", *OPERATIONS]), customer.client_entry(["import", *OPERATIONS]))
    row = services.request_partition(
        tenant=organisation.tenant, label="main", owner=public_credential(customer.owner), actor="test"
    )
    Partition.objects.using("provider").filter(pk=row.pk).update(
        status="defined",
        partition_id=customer.partition,
        device_id=customer.published.device,
        defined=timezone.now(),
    )
    return customer
