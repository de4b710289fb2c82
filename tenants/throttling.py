"""How often one may try to log in, at the API and at the login page together."""

import hashlib
from typing import Any

from rest_framework.request import Request
from rest_framework.throttling import SimpleRateThrottle


class LoginThrottle(SimpleRateThrottle):
    """So many attempts a minute for one user name, wherever they come from."""

    scope = "login"

    def get_cache_key(self, request: Request, view: Any) -> str:
        return self.key(request.data.get("username", "") if isinstance(request.data, dict) else "")

    @staticmethod
    def key(username: object) -> str:
        return f"login-throttle-{hashlib.sha256(str(username).encode()).hexdigest()}"
