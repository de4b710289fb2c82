"""What to import in bulk: a folder of key files, or a manifest in JSON Lines with a key on each line."""

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import msgspec

from strongroom.client import revocation
from strongroom.client.files import read_file
from strongroom.client.material import Material, needs_passphrase, read_material
from strongroom.client.material.symmetric import TextEncoding
from strongroom.protocol.encoding import read_json
from strongroom.protocol.errors import Refused
from strongroom.protocol.mechanisms import KeyType, Mechanism, Usage
from strongroom.protocol.revocation import Revocation
from strongroom.protocol.terms import Authorisation, Terms, new_salt


class KeySettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What the owner says of a key: how to read its file, and what it may do.

    Times are ISO 8601 or durations from now (`90d`); `expires` is another word for `not_after`. `revoke_…`: the
    endpoint that the device asks, and the files with its token and pin; `revoke_dir`: an own endpoint's folder.
    """

    usage: list[Usage] = []
    type: KeyType | None = None
    encoding: TextEncoding | None = None
    mode: Authorisation = "signed"
    mechanism: list[Mechanism] = []
    translate_to: list[str] = []
    not_before: str | None = None
    not_after: str | None = None
    certificate: str = ""
    passphrase_file: str = ""
    expires: str | None = None
    revoke_at: str = ""
    revoke_token: str = ""
    revoke_token_file: str = ""
    revoke_pin: str = ""
    revoke_every: str = revocation.EVERY
    revoke_answer_key: str = ""
    revoke_dir: str = ""
    status_by: Literal["ocsp", "crl", "none", ""] = ""
    status_at: str = ""
    status_every: str = ""

    def read(self, file: Path, passphrase: bytes | None = None) -> Material:
        """The key in a file, as these settings say. Raises `Refused` as `read_material` does."""
        data = file.read_bytes()
        if passphrase is None and self.passphrase_file and needs_passphrase(data):
            passphrase = Path(self.passphrase_file).read_text().strip().encode()
        chain = Path(self.certificate).read_bytes() if self.certificate else b""
        return read_material(data, self.type, passphrase, encoding=self.encoding, certificate=chain)

    def terms(self, material: Material) -> Terms:
        """The terms for a key. Raises `Refused("malformed" | "terms-refused")`."""
        if not self.usage:
            raise Refused("terms-refused", "no usage is named")
        if self.expires and self.not_after:
            raise Refused("terms-refused", "expires and not-after are the same: give one of them")
        now = int(time.time())
        ends = self.expires or self.not_after
        return Terms(
            salt=new_salt(),
            key_type=material.key_type,
            usages=self.usage,
            authorisation=self.mode,
            mechanisms=self.mechanism,
            not_before=revocation.read_moment(self.not_before, now) if self.not_before else None,
            not_after=revocation.read_moment(ends, now) if ends else None,
            translate_to=self.translate_to,
            revocation=self.revocation_terms(),
            certificate_status=revocation.make_certificate_status(self.status_by, self.status_at, self.status_every),
        )

    def revocation_terms(self) -> Revocation | None:
        """Who may revoke the key. Raises `Refused`: `terms-refused`, `configuration` for a missing file."""
        own = Path(self.revoke_dir) if self.revoke_dir else None
        if own and (self.revoke_token or self.revoke_token_file or self.revoke_pin):
            advice = "leave them out, or the folder, and put the key on the list by `strongroom revocation add`"
            raise Refused("terms-refused", f"--revoke-dir is a token and a pin already: {advice}")
        if self.revoke_token and self.revoke_token_file:
            raise Refused("terms-refused", "--revoke-token and --revoke-token-file are the same: give one of them")
        token_file = str(own / "token") if own else self.revoke_token_file
        pin = str(own / "cert.pem") if own else self.revoke_pin
        if not self.revoke_at:
            other_interval = self.revoke_every != revocation.EVERY
            if token_file or self.revoke_token or pin or self.revoke_answer_key or other_interval:
                raise Refused("terms-refused", "who may revoke the key is asked at no address: --revoke-at is missing")
            return None
        if own and self.revoke_answer_key:
            raise Refused("terms-refused", "the endpoint of a folder signs no answers: leave --revoke-answer-key out")
        if not pin or not (token_file or self.revoke_token):
            raise Refused("terms-refused", "an endpoint needs its token and its pin, or its folder (--revoke-dir)")
        advice = "the file that the endpoint's terms need"
        return revocation.make(
            self.revoke_at,
            token=revocation.read_token(self.revoke_token, Path(token_file) if token_file else None),
            pin=read_file(Path(pin), advice),
            every=self.revoke_every,
            answer_key=read_file(Path(self.revoke_answer_key), advice) if self.revoke_answer_key else b"",
        )


_PATHS = ("certificate", "passphrase_file", "revoke_token_file", "revoke_pin", "revoke_answer_key", "revoke_dir")


class _Line(KeySettings, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A line of a manifest: a file, its key's name, and what differs from the settings for all."""

    file: str
    name: str = ""


@dataclass(frozen=True)
class Item:
    """One key to import. `problem`: why it cannot even be tried."""

    name: str
    file: Path
    settings: KeySettings
    problem: Refused | None = None


def read_items(source: Path, common: KeySettings) -> list[Item]:
    """The keys in a folder (each named like its file, without the ending) or in a manifest.

    Paths in a manifest are relative to it. What is wrong with one is that item's problem, and nobody else's.
    """
    items = _of_folder(source, common) if source.is_dir() else _of_manifest(source, common)
    seen: set[str] = set()
    checked = []
    for item in items:
        taken = item.name in seen and item.problem is None
        problem = Refused("conflict", "another file or line has the same name") if taken else item.problem
        checked.append(Item(item.name, item.file, item.settings, problem))
        seen.add(item.name)
    return checked


def _of_folder(folder: Path, common: KeySettings) -> list[Item]:
    files = sorted(path for path in folder.iterdir() if path.is_file() and not path.name.startswith("."))
    return [Item(path.stem, path, common) for path in files]


def _of_manifest(manifest: Path, common: KeySettings) -> list[Item]:
    lines = manifest.read_bytes().splitlines()
    return [
        _of_line(number, line, manifest.parent, common) for number, line in enumerate(lines, start=1) if line.strip()
    ]


def _of_line(number: int, line: bytes, folder: Path, common: KeySettings) -> Item:
    try:
        read_json(line, _Line)
    except Refused as refusal:
        said = Refused(refusal.code, "not a manifest line: an object with `file`, and settings of the right kind")
        return Item(f"line {number}", folder, common, said)
    # What the line itself says, also where that is the same as saying nothing.
    given = read_json(line, dict[str, Any])
    for path in _PATHS:
        if path in given:
            given[path] = str(folder / given[path])
    name, file = given.pop("name", ""), folder / given.pop("file")
    settings = msgspec.convert(msgspec.to_builtins(common) | given, KeySettings)
    return Item(name or file.stem, file, settings)
