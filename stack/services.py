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
from stack.layout import PROJECT, PROVIDER, State
from stack.processes import MARKER
from stack.units import Unit
from stack.valkey import valkey_command

_PASSED_ON = ("PATH", "HOME", "LANG", "LC_ALL", "TZ", "TMPDIR", "SSL_CERT_FILE")
_PYTHON = [sys.executable, "-u"]


@dataclass(frozen=True)
class Addresses:
    """Where the parts of one stack answer; `owner_url` and `broker_url` may be of servers that are not ours."""

    portal_port: int
    manufacturer_port: int
    owner_url: str
    broker_url: str
    cache_url: str

    @property
    def url(self) -> str:
        return f"http://localhost:{self.portal_port}"

    @property
    def manufacturer_url(self) -> str:
        return f"https://127.0.0.1:{self.manufacturer_port}"


def addresses(state: State, *, portal_port: int, manufacturer_port: int) -> Addresses:
    """The addresses of this start: the embedded servers', or those that the environment names."""
    valkey = f"redis+socket://{state.valkey_socket}"
    return Addresses(
        portal_port=portal_port,
        manufacturer_port=manufacturer_port,
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
        STRONGROOM_VALIDATION_KEY_FILE=str(state.validation_key_file),
        STRONGROOM_HSM_SOCKET=str(state.hsm_socket),
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
    found = []
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
    store = state.folder("manufacturer")
    hsm = ["-m", "hsm", "--state", str(state.folder("hsm")), "--socket", str(state.hsm_socket)]
    make = ["-m", "manufacturer", "init", "--store", str(store)]
    serve = ["-m", "manufacturer", "serve", "--store", str(store), "--port", str(where.manufacturer_port)]
    celery = [*_PYTHON, "-m", "celery", "-A", "portal"]
    beat = ["--loglevel=WARNING", "--pidfile=", f"--schedule={state.folder('beat') / 'schedule'}"]
    return [
        *found,
        Unit("manufacturer-store", [*_PYTHON, *make], plain),
        Unit("hsm", [*_PYTHON, *hsm], plain, ready=partial(_accepts, socket.AF_UNIX, state.hsm_socket)),
        Unit(
            "manufacturer",
            [*_PYTHON, *serve],
            plain,
            needs=("manufacturer-store",),
            ready=partial(_answers, where.manufacturer_url, store / "public" / "tls.pem"),
        ),
        step("device", plain, needs=("hsm", "manufacturer"), follows="hsm", narrates=True),
        step("database", owner, needs=database),
        step("registration", owner, needs=("database", "device", *broker)),
        Unit("web", _web_command(where), portal, needs=("database", *broker), ready=partial(_answers, where.url)),
        Unit(
            "worker",
            [*celery, "worker", "--concurrency=2", "--loglevel=WARNING", "--without-gossip", "--without-mingle"],
            portal,
            needs=("database", *broker),
            ready=lambda: True,
        ),
        Unit("beat", [*celery, "beat", *beat], portal, needs=("database", *broker), ready=lambda: True),
        step("customers", plain, needs=("registration", "web"), narrates=True),
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


def _web_command(where: Addresses) -> list[str]:
    address = ["--host", "127.0.0.1", "--port", str(where.portal_port), "--interface", "wsgi", "--http", "1"]
    size = ["--workers", "2", "--blocking-threads", "16", "--respawn-failed-workers"]
    return [*_PYTHON, "-m", "granian", *address, *size, "portal.wsgi:application"]


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
