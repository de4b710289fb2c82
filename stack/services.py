"""The parts of a stack: which commands they are, what each is told, and when it is up."""

import http.client
import os
import socket
import ssl
import sys
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from signal import SIGINT
from urllib.parse import urlsplit

from psycopg.conninfo import conninfo_to_dict, make_conninfo

from stack import postgres
from stack.layout import PROJECT, PROVIDER, VALIDATOR, State
from stack.processes import MARKER
from stack.units import Unit
from stack.valkey import valkey_command

_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE")
_PYTHON = [sys.executable, "-u"]


@dataclass(frozen=True)
class Addresses:
    """Where the parts of one stack answer; `owner_url` and `broker_url` may be of servers that are not ours."""

    portal_port: int
    tls_port: int
    manufacturer_port: int
    validator_port: int
    owner_url: str
    broker_url: str
    cache_url: str

    @property
    def url(self) -> str:
        return f"http://localhost:{self.portal_port}"

    @property
    def tls_url(self) -> str:
        return f"https://localhost:{self.tls_port}"

    @property
    def manufacturer_url(self) -> str:
        return f"https://127.0.0.1:{self.manufacturer_port}"

    @property
    def validator_url(self) -> str:
        return f"https://127.0.0.1:{self.validator_port}"


def addresses(
    state: State, *, portal_port: int, tls_port: int, manufacturer_port: int, validator_port: int
) -> Addresses:
    """The addresses of this start: the embedded servers', or those that the environment names."""
    valkey = f"redis+socket://{state.valkey_socket}"
    return Addresses(
        portal_port=portal_port,
        tls_port=tls_port,
        manufacturer_port=manufacturer_port,
        validator_port=validator_port,
        owner_url=os.environ.get("DATABASE_URL") or postgres.database_url(state, postgres.OWNER),
        broker_url=os.environ.get("CELERY_BROKER_URL") or valkey,
        cache_url=os.environ.get("CACHE_URL") or valkey,
    )


def role_url(owner_url: str, role: str, password: str) -> str:
    """The owner's URL for another role. The embedded server needs no password, another one does."""
    parts = conninfo_to_dict(owner_url)
    return make_conninfo(owner_url, user=role, password=password if parts.get("password") else None)


def portal_environment(state: State, where: Addresses) -> dict[str, str]:
    """What the portal's processes are told. The owner of the tables is not among it."""
    password = state.database_password_file.read_text()
    return _environment(
        state,
        DATABASE_URL=role_url(where.owner_url, "strongroom_app", password),
        DATABASE_PROVIDER_URL=role_url(where.owner_url, "strongroom_provider", password),
        CELERY_BROKER_URL=where.broker_url,
        CACHE_URL=where.cache_url,
        STRONGROOM_SECRET_KEY_FILE=str(state.secret_key_file),
        STRONGROOM_METRICS_TOKEN_FILE=str(state.metrics_token_file),
        STRONGROOM_VALIDATION_KEY_FILE=str(state.validation_key_file),
        STRONGROOM_ENGINE_KEY_FILE=str(state.engine_key_file),
        STRONGROOM_MANUFACTURER_URL=where.manufacturer_url,
        STRONGROOM_MANUFACTURER_TLS_FILE=str(manufacturer_tls(state)),
        STRONGROOM_HSM_SOCKET=str(state.hsm_socket),
        STRONGROOM_EMAIL_FOLDER=str(state.folder("mail")),
        STRONGROOM_PROVIDER=PROVIDER,
        STRONGROOM_HOSTS="localhost,127.0.0.1",
    )


def owner_environment(state: State, where: Addresses) -> dict[str, str]:
    """As `portal_environment`, for migrations and roles."""
    return {**portal_environment(state, where), "DATABASE_OWNER_URL": where.owner_url}


def units(state: State, where: Addresses) -> list[Unit]:
    """Everything that a stack runs, in the order in which it begins."""
    embedded_postgres = not os.environ.get("DATABASE_URL")
    embedded_valkey = not (os.environ.get("CELERY_BROKER_URL") and os.environ.get("CACHE_URL"))
    plain = _environment(state)
    step = partial(_step, state)
    found: list[Unit] = []
    if embedded_postgres:
        found += [
            step("cluster", plain),
            Unit(
                name="postgres",
                command=postgres.serve_command(state),
                environment=plain,
                needs=("cluster",),
                ready=partial(postgres.is_ready, state),
                user=postgres.system_user(),
                stop_signal=SIGINT,
            ),
        ]
    if embedded_valkey:
        found.append(
            Unit("valkey", valkey_command(state), plain, ready=partial(_accepts, socket.AF_UNIX, state.valkey_socket))
        )
    portal, owner = portal_environment(state, where), owner_environment(state, where)
    database = ("postgres",) if embedded_postgres else ()
    broker = ("valkey",) if embedded_valkey else ()
    served = ("database", *broker)
    hsm = ["-m", "hsm", "--state", str(state.folder("hsm")), "--socket", str(state.hsm_socket)]
    celery = [*_PYTHON, "-m", "celery", "-A", "portal"]
    worker = ["--loglevel=WARNING", "--without-gossip", "--without-mingle", "--without-heartbeat"]
    bulk = ["--queues=jobs,callbacks", "--pool=threads", "--concurrency=8"]
    beat = ["--loglevel=WARNING", "--pidfile=", f"--schedule={state.folder('beat') / 'schedule'}"]
    return [
        *found,
        *_manufacturer(state, where, plain),
        *_validator(state, where, plain),
        Unit("hsm", [*_PYTHON, *hsm], plain, ready=partial(_accepts, socket.AF_UNIX, state.hsm_socket)),
        step("device", plain, needs=("hsm", "manufacturer"), follows="hsm", narrates=True),
        step("database", owner, needs=database),
        step("registration", owner, needs=("device", "manufacturer", *served)),
        Unit("web", _web_command(where.portal_port), portal, needs=served, ready=partial(_answers, where.url)),
        Unit(
            "web-tls",
            _web_command(
                where.tls_port, "--ssl-certificate", str(state.tls_server), "--ssl-keyfile", str(state.tls_server)
            ),
            portal,
            needs=served,
            ready=partial(_answers, where.tls_url, state.tls_ca),
        ),
        Unit(
            "worker",
            [*celery, "worker", "--hostname=worker@%h", "--concurrency=2", *worker],
            portal,
            needs=served,
            ready=lambda: True,
        ),
        # Bulk work waits for the device, the database and others' servers: threads are enough.
        Unit(
            "bulk-worker",
            [*celery, "worker", "--hostname=bulk@%h", *bulk, *worker],
            portal,
            needs=served,
            ready=lambda: True,
        ),
        Unit("beat", [*celery, "beat", *beat], portal, needs=served, ready=lambda: True),
        step("customers", plain, needs=("registration", "web-tls", "validator"), narrates=True),
    ]


def manufacturer_tls(state: State) -> Path:
    """The certificate that the manufacturer's clients pin."""
    return state.root / "manufacturer" / "public" / "tls.pem"


def _manufacturer(state: State, where: Addresses, environment: dict[str, str]) -> list[Unit]:
    command, store = [*_PYTHON, "-m", "manufacturer"], str(state.folder("manufacturer"))
    return [
        Unit("manufacturer-store", [*command, "init", "--store", store], environment),
        Unit(
            "manufacturer",
            [*command, "serve", "--store", store, "--port", str(where.manufacturer_port)],
            environment,
            needs=("manufacturer-store",),
            ready=partial(_answers, where.manufacturer_url, manufacturer_tls(state)),
        ),
    ]


def _validator(state: State, where: Addresses, environment: dict[str, str]) -> list[Unit]:
    """The independent validator, told at each start where the others answer this time."""
    command, store = [*_PYTHON, "-m", "validator"], state.folder("validator")
    watched = {
        "--name": VALIDATOR,
        "--interval": "2",
        "--manufacturer-url": where.manufacturer_url,
        "--manufacturer-tls": str(manufacturer_tls(state)),
        "--manufacturer-roots": str(state.root / "manufacturer" / "public" / "root.pem"),
        "--provider": PROVIDER,
        "--provider-url": where.tls_url,
        "--provider-tls": str(state.tls_ca),
        "--provider-credential": str(state.validation_credential_file),
    }
    options = [part for option in watched.items() for part in option]
    return [
        Unit(
            "validator-store",
            [*command, "init", "--store", str(store), *options],
            environment,
            needs=("manufacturer-store",),
        ),
        Unit(
            "validator",
            [*command, "serve", "--store", str(store), "--port", str(where.validator_port)],
            environment,
            needs=("validator-store",),
            ready=partial(_answers, where.validator_url, store / "tls.pem"),
        ),
    ]


def _step(
    state: State,
    name: str,
    environment: dict[str, str],
    *,
    needs: tuple[str, ...] = (),
    follows: str = "",
    narrates: bool = False,
) -> Unit:
    command = [*_PYTHON, "-m", "stack", "step", name, "--state", str(state.root)]
    return Unit(name, command, environment, needs=needs, follows=follows, narrates=narrates)


def _web_command(port: int, *tls: str) -> list[str]:
    address = ["--host", "127.0.0.1", "--port", str(port), "--interface", "wsgi", "--http", "1"]
    size = ["--workers", "2", "--blocking-threads", "64", "--respawn-failed-workers"]
    return [*_PYTHON, "-m", "granian", *address, *tls, *size, "portal.wsgi:application"]


def _environment(state: State, **more: str) -> dict[str, str]:
    kept = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
    own = {MARKER: str(state.runtime), "STRONGROOM_ENV": "development", "PYTHONPATH": str(PROJECT)}
    return {**kept, **own, **more}


def _accepts(family: socket.AddressFamily, address: Path) -> bool:
    with socket.socket(family) as connection:
        connection.settimeout(1)
        try:
            connection.connect(str(address))
        except OSError:
            return False
        return True


def _answers(url: str, pinned: Path | None = None) -> bool:
    """Whether `GET /healthz` says 200."""
    parts = urlsplit(url)
    try:
        if pinned is None:
            connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=2)
        else:
            context = ssl.create_default_context(cafile=pinned)
            connection = http.client.HTTPSConnection(parts.hostname or "", parts.port, timeout=2, context=context)
        connection.request("GET", "/healthz")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
