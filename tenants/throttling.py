"""How often one may try to log in, at the API and at the login page together."""

import hashlib

from django.http import HttpRequest
from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle
from rest_framework.views import APIView


class LoginThrottle(SimpleRateThrottle):
    """So many attempts a minute for one user name, wherever they come from."""

    scope = "login"

    def get_cache_key(self, request: Request | HttpRequest, view: APIView) -> str:
        """`request` is the page's or the API's."""
        given = request.POST if isinstance(request, HttpRequest) else request.data
        name = given.get("username", "") if isinstance(given, dict) else ""
        return f"login-throttle-{hashlib.sha256(str(name).encode()).hexdigest()}"
