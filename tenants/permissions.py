"""Who may use a view: each view declares it, method by method, and nothing is allowed that is not declared."""

from typing import TYPE_CHECKING

from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from strongroom.protocol.errors import Refused
from tenants.authentication import Caller
from tenants.models import Role

if TYPE_CHECKING:  # rest_framework.views itself imports this module, by the settings
    from rest_framework.views import APIView

CLIENT = frozenset({Role.CLIENT})
ADMINS = frozenset({Role.OWNER, Role.ADMIN})
OPERATORS = ADMINS | {Role.OPERATOR}
"""Who do the day's work with keys: they decide nothing about people, tokens, secrets, nor what is taken away."""
PEOPLE = frozenset({Role.OWNER, Role.ADMIN, Role.OPERATOR, Role.AUDITOR})
READERS = CLIENT | PEOPLE
ANYONE_KNOWN = None
"""Any caller with a valid token, officers too."""


class Declared(BasePermission):
    """Checks `view.allowed`: a dictionary of method → roles (or `ANYONE_KNOWN`)."""

    def has_permission(self, request: Request, view: "APIView") -> bool:
        """Raises `Refused`: `unauthenticated`, `method-not-allowed`; false is rendered as `forbidden`."""
        if not isinstance(request.auth, Caller):
            raise Refused("unauthenticated")
        allowed = getattr(view, "allowed", {})
        if request.method not in allowed:
            raise Refused("method-not-allowed")
        roles = allowed[request.method]
        return roles is ANYONE_KNOWN or request.auth.role in roles
