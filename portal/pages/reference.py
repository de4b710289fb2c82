"""The description of the REST interface as a page shows it: by groups, with every member of what goes in and out."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from http import HTTPStatus
from typing import Any

from drf_spectacular.generators import SchemaGenerator

Schema = dict[str, Any]
JSON = "application/json"
PROBLEM = "Problem"
_LIMITS = {
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minimum": "{} or more",
    "maximum": "{} or less",
    "minItems": "at least {}",
    "maxItems": "at most {}",
    "pattern": "like `{}`",
    "default": "`{}` unless said",
}
"""What a schema says of a value, in words."""


@dataclass(frozen=True)
class Member:
    """A parameter, or a member of JSON; `name` leads there from the outermost: `items[].payload`."""

    name: str
    kind: str
    required: bool
    about: str


@dataclass(frozen=True)
class Example:
    title: str
    text: str


@dataclass(frozen=True)
class Answer:
    """What comes back with a status."""

    status: str
    phrase: str
    members: list[Member]


@dataclass(frozen=True)
class Operation:
    """`about` is Markdown. `refusals`: the statuses that come with a problem document."""

    method: str
    path: str
    anchor: str
    summary: str
    about: str
    parameters: list[Member]
    body: list[Member]
    examples: list[Example]
    answers: list[Answer]
    refusals: list[str]


@dataclass(frozen=True)
class Group:
    name: str
    operations: list[Operation]


@dataclass(frozen=True)
class Reference:
    """`problem`: the members of every refusal's document."""

    groups: list[Group]
    problem: list[Member]


@cache
def reference() -> Reference:
    """All operations by their groups, as `/api/schema/` has them. They are what the program is: made once."""
    description: Schema = SchemaGenerator().get_schema(request=None, public=True)
    schemas = description["components"]["schemas"]
    found: dict[str, list[Operation]] = {}
    for path, methods in description["paths"].items():
        for method, operation in methods.items():
            found.setdefault(operation["tags"][0], []).append(_operation(path, method, operation, schemas))
    groups = [Group(name, found[name]) for name in sorted(found)]
    return Reference(groups, list(_members(schemas[PROBLEM], schemas)))


def _operation(path: str, method: str, said: Schema, schemas: Schema) -> Operation:
    content = said.get("requestBody", {}).get("content", {}).get(JSON, {})
    answers = [(status, one) for status, one in said["responses"].items() if "$ref" not in one]
    return Operation(
        method=method.upper(),
        path=path,
        anchor=said["operationId"],
        summary=said["summary"],
        about=said.get("description", ""),
        parameters=[_parameter(one, schemas) for one in said.get("parameters", [])],
        body=list(_members(content.get("schema", {}), schemas)),
        examples=[
            Example(one.get("summary", ""), json.dumps(one["value"], indent=2, ensure_ascii=False))
            for one in content.get("examples", {}).values()
        ],
        answers=[Answer(status, HTTPStatus(int(status)).phrase, _of_answer(one, schemas)) for status, one in answers],
        refusals=[status for status, one in said["responses"].items() if "$ref" in one],
    )


def _parameter(said: Schema, schemas: Schema) -> Member:
    kind, about = _kind(said["schema"], schemas)
    place = {"query": "in the query", "header": "a header", "path": "in the path"}[said["in"]]
    told = " ".join(one for one in (said.get("description", ""), about) if one)
    return Member(said["name"], f"{kind}, {place}", bool(said.get("required")), told)


def _of_answer(said: Schema, schemas: Schema) -> list[Member]:
    content = said.get("content", {})
    return [one for form in content.values() for one in _members(form.get("schema", {}), schemas)]


def _members(said: Schema, schemas: Schema, before: str = "", above: tuple[str, ...] = ()) -> Iterator[Member]:
    """What a schema has in it, depth first. `above`: the schemas around it, for one that has itself within."""
    said, name = _resolved(said, schemas)
    if said.get("type") == "array":
        yield from _members(said["items"], schemas, f"{before}[]", above)
        return
    for member, one in said.get("properties", {}).items():
        kind, about = _kind(one, schemas)
        path = f"{before}.{member}" if before else member
        yield Member(path, kind, member in said.get("required", []), about)
        if name not in above:
            yield from _members(one, schemas, path, (*above, name) if name else above)


def _kind(said: Schema, schemas: Schema) -> tuple[str, str]:
    """The type in a word or two, and whatever else there is to say of it."""
    whole, _ = _resolved(said, schemas)
    kind = str(whole.get("type", "any"))
    if kind == "array":
        kind = f"list of {_kind(whole['items'], schemas)[0]}"
    if whole.get("format"):
        kind = f"{kind} ({whole['format']})"
    if whole.get("nullable") or said.get("nullable"):
        kind = f"{kind} or null"
    parts = [str(said.get("description") or whole.get("description") or "")]
    if "enum" in whole:
        parts.append("One of " + ", ".join(f"`{one}`" for one in whole["enum"] if one not in ("", None)) + ".")
    limits = [text.format(whole[name]) for name, text in _LIMITS.items() if whole.get(name) not in (None, "")]
    parts.append(f"{', '.join(limits)}.".capitalize() if limits else "")
    return kind, " ".join(one for one in parts if one)


def _resolved(said: Schema, schemas: Schema) -> tuple[Schema, str]:
    """A schema itself, and its name where it has one; what stands beside a reference counts too."""
    for inner in said.get("allOf", []):
        found, name = _resolved(inner, schemas)
        return found | {key: value for key, value in said.items() if key != "allOf"}, name
    if "$ref" in said:
        name = said["$ref"].rpartition("/")[2]
        return schemas[name], name
    return said, ""
