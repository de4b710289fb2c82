"""What an action does, as an officer says it on the command line: options named like its body's fields."""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from strongroom.client.files import read_file
from strongroom.officer.cards import CardFace, CardFile
from strongroom.protocol.action_table import ACTIONS, Body
from strongroom.protocol.encoding import read_json
from strongroom.protocol.errors import Refused

SHORT = {"rotate-vendor-key": "vendor-key.rotate", "rotate-provider-key": "provider-key.rotate"}
"""Names that serve as well as the table's."""


def read_face(path: Path) -> CardFace:
    """A card's public part: from the card file, what `officer card show --json` prints, or a security key's enrolment.

    Raises `Refused`.
    """
    data = read_file(path, "the officer makes it with `strongroom officer card show CARD --json`")
    members = read_json(data, dict[str, Any])
    try:
        if "secret" in members:
            return msgspec.convert(members, CardFile).face
        return msgspec.convert({name: one for name, one in members.items() if name != "fingerprint"}, CardFace)
    except msgspec.ValidationError:
        raise Refused("malformed", f"{path} is no card") from None


def options_of(action: str) -> list[str]:
    """The options that an action takes, in the order of its body's fields."""
    return [_option(one.name) for one in msgspec.structs.fields(ACTIONS[action].body)]


def make_body(action: str, given: Sequence[tuple[str, str]], thresholds: Callable[[], Mapping[str, int]]) -> Body:
    """The body of `action` from (option, value) pairs. `thresholds`: K of each class as they are now.

    Raises `Refused("malformed")` for an option that the action does not take, one too few, or one that it cannot read.
    """
    fields = {_option(one.name): one.name for one in msgspec.structs.fields(ACTIONS[action].body)}
    said = f"{action} takes {' '.join(fields) or 'no options'}"
    values: dict[str, Any] = {}
    for option, text in given:
        if option not in fields:
            raise Refused("malformed", f"{option}? {said}")
        name = fields[option]
        if name in _MANY:
            values.setdefault(name, []).append(_read(name, text))
        elif name in values:
            raise Refused("malformed", f"{option} is there twice")
        else:
            values[name] = _read(name, text)
    if "thresholds" in fields.values():
        values["thresholds"] = {**thresholds(), **dict(values.get("thresholds", []))}
    try:
        return msgspec.convert(values, ACTIONS[action].body, strict=False)  # type: ignore[return-value]
    except msgspec.ValidationError as error:
        raise Refused("malformed", f"{error}; {said}") from None


_MANY = {"enrol", "retire", "thresholds"}
_OPTIONS = {"thresholds": "--threshold"}


def _option(field: str) -> str:
    return _OPTIONS.get(field, "--" + field.replace("_", "-"))


def _read(field: str, text: str) -> Any:
    match field:
        case "enrol":
            return msgspec.to_builtins(read_face(Path(text)).enrolment())
        case "consent":
            return read_file(Path(text), "the owner makes it: `strongroom partition consent-to-destruction`").decode()
        case "thresholds":
            name, _, number = text.partition("=")
            if not number.isdecimal():
                raise Refused("malformed", "a threshold is written CLASS=K, for instance security=2")
            return name, int(number)
    return text
