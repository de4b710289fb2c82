"""Where a stack keeps what: one state folder, and one short runtime folder for its sockets."""

import contextlib
import hashlib
import os
import stat
from dataclasses import dataclass
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
PROVIDER = "provider"
VALIDATOR = "development"
TENANTS = {"acme": "Acme Corporation", "globex": "Globex Corporation"}


class StackError(Exception):
    """What stops a stack, in words for whoever started it."""


@dataclass(frozen=True)
class State:
    """The paths of one stack. Whatever holds a secret is in a folder of mode 0700 of its own."""

    root: Path

    @property
    def runtime(self) -> Path:
        """For sockets: their paths may have 107 bytes at most, so a hash of the state's path stands for it."""
        name = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:12]
        return Path(f"/tmp/strongroom-{os.geteuid()}-{name}")  # noqa: S108 (made 0700, and its owner is checked)

    @property
    def postgres_runtime(self) -> Path:
        """Beside `runtime`, because PostgreSQL may have to run as another user."""
        return Path(f"{self.runtime}-pg")

    @property
    def hsm_socket(self) -> Path:
        return self.runtime / "hsm.sock"

    @property
    def valkey_socket(self) -> Path:
        return self.runtime / "valkey.sock"

    @property
    def lock(self) -> Path:
        return self.root / "lock"

    @property
    def run_file(self) -> Path:
        return self.root / "run.json"

    @property
    def access_file(self) -> Path:
        return self.root / "access.json"

    @property
    def people_file(self) -> Path:
        return self.root / "people" / "people.json"

    @property
    def secret_key_file(self) -> Path:
        return self.root / "provider" / "secret-key"

    @property
    def metrics_token_file(self) -> Path:
        return self.root / "provider" / "metrics-token"

    @property
    def validation_key_file(self) -> Path:
        return self.root / "provider" / "validation-key.pem"

    @property
    def validation_credential_file(self) -> Path:
        """The public half of the validation key, as a JWK: what customers and validators are given."""
        return self.root / "provider" / "validation-key.json"

    @property
    def engine_key_file(self) -> Path:
        return self.root / "provider" / "engine-key"

    @property
    def tls_ca(self) -> Path:
        """The development authority's certificate: what clients trust for the portal."""
        return self.root / "provider" / "authority" / "ca.pem"

    @property
    def tls_server(self) -> Path:
        return self.root / "provider" / "authority" / "server.pem"

    @property
    def database_password_file(self) -> Path:
        return self.root / "provider" / "database-password"

    def folder(self, name: str) -> Path:
        """A folder of the state by its name (`hsm`, `provider`, `cards`, …), made with mode 0700."""
        path = self.root / name
        path.mkdir(mode=0o700, exist_ok=True)
        return path

    def log(self, name: str) -> Path:
        return self.folder("logs") / f"{name}.log"

    def card(self, name: str) -> Path:
        return self.folder("cards") / f"{name}.card"

    def pin(self, name: str) -> Path:
        return self.folder("cards") / f"{name}.pin"

    def customer(self, slug: str) -> Path:
        self.folder("customers")
        return self.folder(f"customers/{slug}")

    def prepare(self) -> None:
        """Make the state folder. Raises `StackError` where it is somebody else's, or cannot be made."""
        try:
            if self.root.is_dir() and any(self.root.iterdir()) and not self.lock.exists():
                raise StackError(
                    f"{self.root} is not empty and no Strongroom state. Choose another folder with --state."
                )
            self.root.mkdir(mode=0o700, parents=True, exist_ok=True)
            self.lock.touch(mode=0o600)
        except OSError as error:
            raise StackError(
                f"{self.root} cannot be a state folder ({error.strerror}). Choose another one with --state."
            ) from None

    def prepare_runtime(self) -> None:
        """Make the runtime folders. Raises `StackError` where something of somebody else's is in their place."""
        for folder in (self.runtime, self.postgres_runtime):
            with contextlib.suppress(FileExistsError):
                folder.mkdir(mode=0o700)
            found = folder.lstat()
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid() or found.st_mode & 0o077:
                raise StackError(f"{folder} is not a folder of this user with mode 0700. Remove it.")


def write_private(path: Path, data: bytes) -> None:
    """Write a file of mode 0600, whole or not at all."""
    temporary = path.with_name(f".{path.name}.new")
    temporary.unlink(missing_ok=True)
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
