"""Only officers of the provider come in here."""

from rest_framework.permissions import BasePermission
from rest_framework.request import Request
from rest_framework.views import APIView

from portal.quorum import selectors
from portal.quorum.models import OfficerProfile
from strongroom.protocol.errors import Refused
from tenants.authentication import Caller


class IsOfficer(BasePermission):
    """The caller is an officer, whose profile the view then finds as `view.officer`."""

    def has_permission(self, request: Request, view: APIView) -> bool:
        """Raises `Refused("unauthenticated")`; false is rendered as `forbidden`."""
        if not isinstance(request.auth, Caller):
            raise Refused("unauthenticated")
        officer = selectors.officer_of(request.auth.user)
        view.officer = officer
        return officer is not None


def require_class(officer: OfficerProfile, officer_class: str) -> None:
    """Raise `Refused("forbidden")` unless the officer is of the class."""
    if officer.officer_class != officer_class:
        raise Refused("forbidden", f"only {officer_class} officers do this")
