"""The configuration folder of a customer or an officer: where each thing lies, and nothing else.

config.json            url, tenant, provider, manufacturer_url, partition, sealed
trust/                 what was got out of band: the manufacturer's roots and TLS certificate, the provider's keys,
                       validators/NAME.json for third parties
policy.json            who must vouch for keys, where that is not everyone
token, session         an API client's token, a person's token
owner.pem, device.pem  signing keys, with their public halves in owner.json, device.json
receipts/, dossiers/   the device's receipts, what was sent for them, what was validated before
access/, checkpoints/  PARTITION.jws: the last that was verified
jobs/                  JOB.json: what opens the results of bulk jobs
"""

import os
from pathlib import Path
from typing import Literal

import msgspec
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from strongroom.client.files import AskPassphrase, read_file, read_signing_key, write_private, write_signing_key
from strongroom.client.http import check_manufacturer_url, check_url
from strongroom.protocol.certificates import profile_of
from strongroom.protocol.credentials import PublicCredential, public_credential
from strongroom.protocol.encoding import read_json
from strongroom.protocol.errors import Refused

Credential = Literal["owner", "device"]
_ADVICE = {"owner": "run `strongroom owner init`", "device": "run `strongroom device enrol --name NAME`"}


class Config(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """config.json. An officer needs only `url`. `sealed`: every operation is sealed to the device."""

    url: str
    tenant: str = ""
    provider: str = ""
    manufacturer_url: str = ""
    partition: str = ""
    sealed: bool = False


class TrustFiles(msgspec.Struct, frozen=True, kw_only=True):
    """Files that come to a customer out of band, never from the portal; an officer needs only the roots."""

    manufacturer_roots: bytes
    manufacturer_tls: bytes = b""
    provider_validation: bytes = b""
    provider_tls: bytes = b""


class Home:
    """One configuration folder. `ask` is called for the passphrase of a key file that is under one."""

    def __init__(self, path: Path, ask: AskPassphrase | None = None) -> None:
        self.path = path
        self._ask = ask
        self._keys: dict[Credential, Ed25519PrivateKey] = {}

    @classmethod
    def default_path(cls) -> Path:
        return Path(os.environ.get("STRONGROOM_HOME") or Path.home() / ".strongroom")

    # --- configuration and trust anchors ---

    def configure(self, config: Config, trust: TrustFiles) -> None:
        """Write configuration and trust files.

        Raises `Refused("configuration")` where a trust file cannot be read, or an address is none to be asked.
        """
        check_url(config.url)
        if config.manufacturer_url:
            check_manufacturer_url(config.manufacturer_url)
        _read_roots(trust.manufacturer_roots)
        if trust.provider_validation:
            read_json(trust.provider_validation, PublicCredential, "configuration")
        write_private(self.path / "trust/manufacturer-roots.pem", trust.manufacturer_roots)
        for name, data in (
            ("manufacturer-tls.pem", trust.manufacturer_tls),
            ("provider-validation.json", trust.provider_validation),
            ("provider-tls.pem", trust.provider_tls),
        ):
            if data:
                write_private(self.path / "trust" / name, data)
        self._save_config(config)

    def config(self) -> Config:
        data = read_file(self.path / "config.json", "run `strongroom configure`")
        return read_json(data, Config, "configuration")

    def partition(self) -> str:
        """The partition in use. Raises `Refused("configuration")` where none was chosen."""
        chosen = self.config().partition
        if not chosen:
            raise Refused("configuration", "no partition chosen: run `strongroom partition use ID`")
        return chosen

    def use_partition(self, partition: str) -> None:
        self._save_config(msgspec.structs.replace(self.config(), partition=partition))

    def manufacturer_roots(self) -> list[x509.Certificate]:
        """The roots that are trusted. Where STRONGROOM_ENV is production, a development root is not one of them."""
        roots = _read_roots(read_file(self.path / "trust/manufacturer-roots.pem", "run `strongroom configure`"))
        if os.environ.get("STRONGROOM_ENV") == "production":
            return [one for one in roots if profile_of(one).mode == "production"]
        return roots

    def provider_validation(self) -> PublicCredential:
        """The key with which the provider's validator signs."""
        data = read_file(self.path / "trust/provider-validation.json", "run `strongroom configure`")
        return read_json(data, PublicCredential, "configuration")

    def manufacturer_tls(self) -> Path:
        return self.path / "trust/manufacturer-tls.pem"

    def provider_tls(self) -> Path | None:
        """The provider's TLS certificate, where one is pinned; else the system's authorities decide."""
        path = self.path / "trust/provider-tls.pem"
        return path if path.exists() else None

    # --- tokens ---

    def token(self) -> str:
        """The API client's token, empty where there is none."""
        return self._text("token")

    def session(self) -> str:
        """The person's token, empty where nobody is logged in."""
        return self._text("session")

    def save_token(self, token: str) -> None:
        write_private(self.path / "token", token.encode())

    def save_session(self, token: str) -> None:
        write_private(self.path / "session", token.encode())

    def forget_session(self) -> None:
        (self.path / "session").unlink(missing_ok=True)

    # --- signing keys ---

    def make_key(self, which: Credential, passphrase: bytes = b"") -> PublicCredential:
        """Make a signing key. Raises `Refused("conflict")` where there is one: it is never overwritten."""
        if (self.path / f"{which}.pem").exists():
            raise Refused("conflict", f"{self.path / f'{which}.pem'} is there already")
        key = Ed25519PrivateKey.generate()
        public = public_credential(key)
        # The public half first: a crash between the two leaves nothing that looks like a whole key.
        self.save_credential(which, public)
        write_signing_key(self.path / f"{which}.pem", key, passphrase)
        return public

    def has_key(self, which: Credential) -> bool:
        return (self.path / f"{which}.pem").exists()

    def key(self, which: Credential) -> Ed25519PrivateKey:
        """The signing key. A passphrase is asked for once, and the opened key stays in this process."""
        if which not in self._keys:
            self._keys[which] = read_signing_key(self.path / f"{which}.pem", self._ask, _ADVICE[which])
        return self._keys[which]

    def credential(self, which: Credential) -> PublicCredential:
        """The public half, for which no passphrase is needed. A machine may hold the owner's public half alone."""
        data = read_file(self.path / f"{which}.json", _ADVICE[which])
        return read_json(data, PublicCredential, "configuration")

    def save_credential(self, which: Credential, credential: PublicCredential) -> None:
        write_private(self.path / f"{which}.json", msgspec.json.encode(credential))

    # --- kept statements ---

    def keep(self, folder: Literal["receipts", "access", "checkpoints"], name: str, statement: str) -> Path:
        """Keep a verified statement; returns where."""
        path = self.path / folder / f"{name}.jws"
        write_private(path, statement.encode())
        return path

    def kept(self, folder: Literal["receipts", "access", "checkpoints"], name: str) -> str:
        """A kept statement, empty where there is none."""
        return self._text(f"{folder}/{name}.jws")

    def _text(self, name: str) -> str:
        path = self.path / name
        return path.read_text().strip() if path.exists() else ""

    def _save_config(self, config: Config) -> None:
        write_private(self.path / "config.json", msgspec.json.format(msgspec.json.encode(config), indent=2))


def _read_roots(data: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(data)
    except ValueError:
        raise Refused("configuration", "the manufacturer's roots cannot be read as PEM certificates") from None
