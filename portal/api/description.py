"""How the API describes itself (OpenAPI): a method's docstring is its text, `allowed` says for whom it is."""

from http import HTTPStatus
from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from drf_spectacular.openapi import AutoSchema
from rest_framework.permissions import AllowAny

from portal.problems import CONTENT_TYPE, document, headers
from strongroom.protocol.errors import CATALOGUE, Refused
from tenants.permissions import ADMINS, ANYONE_KNOWN, CLIENT, OPERATORS, PEOPLE

PATH_PARAMETERS = {
    "reference": "The key's name or its id. A name that several partitions use is refused: use the id.",
    "partition_id": "The partition's id.",
    "client_id": "The API client's id.",
    "token_key": "The beginning of the token, as `token_key` in the answer that it was made in.",
    "fingerprint": "The fingerprint (thumbprint) of the device's credential.",
    "import_id": "The import's id, which its header names.",
    "job_id": "The job's id.",
    "operation_id": "The asynchronous operation's id.",
    "number": "The chunk's number, from 0.",
    "callback_id": "The callback's id.",
    "delivery_id": "The message's id, which `webhook-id` states.",
    "action_id": "The action's number.",
}

IDEMPOTENCY_KEY = {
    "in": "header",
    "name": "Idempotency-Key",
    "schema": {"type": "string", "maxLength": 255},
    "description": "Within 24 hours the same request under the same key is carried out once, and answered the same, "
    "with `Idempotency-Replayed: true`. A synchronous operation on a key may simply be repeated, and heeds none.",
}


RATE_LIMITS: dict[str, Any] = {
    "RateLimit-Policy": {
        "description": "The limits that the caller is under: `q` in `w` seconds. Officers are under none.",
        "schema": {"type": "string"},
        "example": '"tenant-requests";q=1200000;w=60, "tenant-items";q=24000000;w=60',
    },
    "RateLimit": {
        "description": "What is left of each (`r`), and when its window ends (`t` seconds).",
        "schema": {"type": "string"},
        "example": '"tenant-requests";r=1199999;t=42, "tenant-items";r=23999999;t=42',
    },
}


class BearerTokenScheme(OpenApiAuthenticationExtension):
    target_class = "tenants.authentication.BearerToken"
    name = "BearerToken"
    priority = 1

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, str]:
        return {"type": "http", "scheme": "bearer", "description": "An API client's token, or a person's (login)."}


class Description(AutoSchema):
    """The first line of a method's docstring is its summary, the rest its description."""

    def get_summary(self) -> str:
        return self._documented()[0].removesuffix(".")

    def get_description(self) -> str:  # type: ignore[override]  # as drf-spectacular's own
        return "\n\n".join(part for part in (self._documented()[1], self._for_whom()) if part)

    def _documented(self) -> tuple[str, str]:
        summary, _, rest = str(super().get_description()).partition("\n")
        return summary, rest.strip()

    def _for_whom(self) -> str:
        if AllowAny in self.view.permission_classes:
            return "For anyone, without a token."
        allowed = getattr(self.view, "allowed", {})
        if not allowed:  # an officers' view, whose roles are no tenant's
            return "For officers of the provider."
        roles = allowed[self.method]
        if roles is ANYONE_KNOWN:
            return "For anyone with a token."
        # The first of these that is allowed has those after it among it.
        people = (
            (PEOPLE, "everyone of the tenant"),
            (OPERATORS, "owners, admins and operators of the tenant"),
            (ADMINS, "owners and admins of the tenant"),
        )
        named = ["API clients"] if roles >= CLIENT else []
        named += [name for some, name in people if some <= roles][:1]
        return f"For {' and '.join(named)}."


def complete(result: dict[str, Any], **_: Any) -> dict[str, Any]:
    """What holds for all operations alike (a hook of drf-spectacular): problems, path parameters, strict bodies."""
    components = result["components"]
    components["schemas"]["Problem"] = _problem_schema()
    components["responses"] = {f"Problem{status}": _problem(status) for status in _statuses()}
    operations = [operation for path in result["paths"].values() for operation in path.values()]
    for path in result["paths"].values():
        if "post" in path and {"BearerToken": []} in path["post"].get("security", []):
            path["post"].setdefault("parameters", []).append(IDEMPOTENCY_KEY)
    for operation in operations:
        if {"BearerToken": []} in operation.get("security", []):
            _add_limits(operation)
        for status in _problems_of(operation):
            operation["responses"][str(status)] = {"$ref": f"#/components/responses/Problem{status}"}
        for parameter in operation.get("parameters", []):
            if parameter["in"] == "path" and parameter["name"] in PATH_PARAMETERS:
                parameter["description"] = PATH_PARAMETERS[parameter["name"]]
        for media in operation.get("requestBody", {}).get("content", {}).values():
            components["schemas"][media["schema"]["$ref"].rpartition("/")[2]]["additionalProperties"] = False
    return result


def _add_limits(operation: dict[str, Any]) -> None:
    for status, response in operation["responses"].items():
        if status.startswith("2"):
            response["headers"] = response.get("headers", {}) | RATE_LIMITS


def _problems_of(operation: dict[str, Any]) -> list[int]:
    """The problems that an operation can answer with."""
    is_login = operation["operationId"].startswith("login")
    needs_token = {"BearerToken": []} in operation.get("security", [])
    found = [400, 500, 503]
    found += [401, 403, 404, 409, 429] if needs_token else []
    found += [422] if needs_token and IDEMPOTENCY_KEY in operation.get("parameters", []) else []
    found += [413, 415] if "requestBody" in operation else []
    found += [401, 429] if is_login else []
    return sorted(found)


def _statuses() -> list[int]:
    return sorted({problem.status for problem in CATALOGUE.values()})


def _problem(status: int) -> dict[str, Any]:
    codes = {code: problem for code, problem in CATALOGUE.items() if problem.status == status}
    described = "\n".join(f"- `{code}`: {problem.sentence}" for code, problem in codes.items())
    first = Refused(next(iter(codes)))
    return {
        "description": f"{HTTPStatus(status).phrase}. The `code` says which:\n\n{described}",
        "content": {CONTENT_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}, "example": document(first)}},
        "headers": {name: {"schema": {"type": "string"}, "example": value} for name, value in headers(first).items()},
    }


def _problem_schema() -> dict[str, Any]:
    text = {"type": "string"}
    return {
        "type": "object",
        "description": "Problem details (RFC 9457). Rely on `code`: it is never renamed.",
        "properties": {
            "type": {**text, "format": "uri", "description": "`urn:strongroom:error:` and the code."},
            "title": {**text, "description": "What to do about it; the same for each code."},
            "status": {"type": "integer"},
            "detail": {**text, "description": "What was wrong this time, if there is more to say."},
            "code": {**text, "enum": sorted(CATALOGUE)},
            "session": {**text, "description": "With `session-stale`: the session that is in force."},
        },
        "required": ["type", "title", "status", "detail", "code"],
    }
