"""Login and logout of people, and who a token speaks for."""

from django.urls import path
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from portal.quorum.models import OfficerProfile
from tenants import selectors, sessions
from tenants.api.base import ApiView
from tenants.lockout import Attempt, address_of
from tenants.models import User
from tenants.permissions import ANYONE_KNOWN


class LoginIn(serializers.Serializer):
    username = serializers.CharField(max_length=64)
    password = serializers.CharField(max_length=1024, trim_whitespace=False)
    otp = serializers.RegexField(r"^[0-9]{6,8}$")


class LoginOut(serializers.Serializer):
    token = serializers.CharField()
    expiry = serializers.DateTimeField()
    username = serializers.CharField()
    tenant = serializers.CharField(allow_null=True)
    officer_class = serializers.CharField(allow_null=True)


class WhoamiOut(serializers.Serializer):
    kind = serializers.ChoiceField(["client", "person"])
    name = serializers.CharField()
    client_id = serializers.CharField(allow_null=True)
    tenant = serializers.CharField(allow_null=True)
    tenant_name = serializers.CharField(allow_null=True)
    role = serializers.CharField(allow_null=True)
    officer_class = serializers.CharField(allow_null=True)


class Login(ApiView):
    authentication_classes = []
    permission_classes = [AllowAny]

    @extend_schema(
        request=LoginIn,
        responses=LoginOut,
        auth=[],
        examples=[
            OpenApiExample(
                "Login",
                {"username": "alice", "password": "correct horse battery staple", "otp": "492039"},
                request_only=True,
            ),
            OpenApiExample(
                "A person of a tenant",
                {
                    "token": "str_…",
                    "expiry": "2026-01-31T12:15:00Z",
                    "username": "alice",
                    "tenant": "acme",
                    "officer_class": None,
                },
                response_only=True,
            ),
        ],
    )
    def post(self, request: Request) -> Response:
        """Log a person in.

        The token is good for 15 minutes. A one-time code serves once. A wrong name, password or code is answered alike.
        After several failures attempts wait, as `Retry-After` says.
        """
        given = self.read(LoginIn)
        attempt = Attempt(given["username"], address_of(request))
        token, plaintext, user, tenant = sessions.open_session(**given)
        attempt.succeeded()
        return Response(
            {
                "token": plaintext,
                "expiry": token.expiry,
                "username": user.username,
                "tenant": tenant.slug if tenant else None,
                "officer_class": officer_class(user),
            }
        )


class Logout(ApiView):
    allowed = {"POST": ANYONE_KNOWN}

    @extend_schema(request=None, responses={204: None})
    def post(self, request: Request) -> Response:
        """End the token that is used."""
        sessions.close_session(caller=self.caller)
        return Response(status=204)


class Whoami(ApiView):
    allowed = {"GET": ANYONE_KNOWN}

    @extend_schema(responses=WhoamiOut)
    def get(self, request: Request) -> Response:
        """Whom the token speaks for."""
        caller = self.caller
        is_client = caller.user.kind == User.Kind.SERVICE
        return Response(
            {
                "kind": "client" if is_client else "person",
                "name": selectors.client_name(caller.user, caller.tenant) if is_client else caller.user.username,
                "client_id": caller.client_id or None,
                "tenant": caller.tenant.slug if caller.tenant else None,
                "tenant_name": caller.tenant.name if caller.tenant else None,
                "role": caller.role,
                "officer_class": None if is_client else officer_class(caller.user),
            }
        )


def officer_class(user: User) -> str | None:
    """The class of a provider's officer; None for anyone else."""
    profile = OfficerProfile.objects.using("provider").filter(user_id=user.pk).first()
    return profile.officer_class if profile else None


urlpatterns = [
    path("login", Login.as_view()),
    path("logout", Logout.as_view()),
    path("whoami", Whoami.as_view()),
]
