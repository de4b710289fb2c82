"""Errors at the edge: whatever went wrong inside becomes one problem document (RFC 9457) with a stable code, here."""

import logging
import sys
from typing import Any

import redis
from django.core.exceptions import DisallowedHost, PermissionDenied, RequestDataTooBig
from django.db import DatabaseError, DataError, InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.template import loader
from django.views import defaults
from rest_framework import exceptions
from rest_framework.response import Response
from rest_framework.views import set_rollback

from strongroom.protocol.errors import Refused

CONTENT_TYPE = "application/problem+json"
RETRY_AFTER = "5"
UNKNOWN_HOST = "the Host header names no host of this portal"

logger = logging.getLogger(__name__)

_BY_CLASS: list[tuple[type[Exception], str]] = [
    (Http404, "not-found"),
    (exceptions.NotFound, "not-found"),
    (exceptions.NotAuthenticated, "unauthenticated"),
    (exceptions.AuthenticationFailed, "unauthenticated"),
    (exceptions.PermissionDenied, "forbidden"),
    (PermissionDenied, "forbidden"),
    (exceptions.MethodNotAllowed, "method-not-allowed"),
    (exceptions.Throttled, "throttled"),
    (exceptions.APIException, "malformed"),
    (RequestDataTooBig, "too-large"),
    # A value that no column can hold, a zero byte for instance: it came with the request.
    (DataError, "malformed"),
    (OperationalError, "unavailable"),
    (InterfaceError, "unavailable"),
    # What the cache raises: django-redis takes off its own exception again.
    (redis.RedisError, "unavailable"),
]


def document(error: Refused) -> dict[str, Any]:
    """The members of the problem document."""
    return {
        "type": f"urn:strongroom:error:{error.code}",
        "title": error.problem.sentence,
        "status": error.problem.status,
        "detail": error.sentence,
        "code": error.code,
    }


def headers(error: Refused) -> dict[str, str]:
    """What the status asks for beside the document (RFC 9110 §11.6.1, §10.2.3)."""
    if error.problem.status == 401:
        return {"WWW-Authenticate": "Bearer"}
    if error.problem.status in (429, 503):
        return {"Retry-After": str(getattr(error, "retry_after", RETRY_AFTER))}
    return {}


def as_refused(error: Exception) -> Refused | None:
    """The refusal that `error` amounts to, or None where it is a fault of ours."""
    if isinstance(error, Refused):
        return error
    for kind, code in _BY_CLASS:
        if isinstance(error, kind):
            return Refused(code, _detail(error) if code == "malformed" else "")
    return None


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's hook."""
    refused = as_refused(error)
    if refused is None:
        return None
    if isinstance(error, DatabaseError) and refused.problem.status == 503:
        logger.warning("The database does not answer: %s", type(error).__name__)
    set_rollback()
    extra = headers(refused)
    wait = getattr(error, "wait", None)
    if isinstance(error, exceptions.Throttled) and wait is not None:
        extra["Retry-After"] = str(int(wait) + 1)
    return Response(document(refused), status=refused.problem.status, headers=extra, content_type=CONTENT_TYPE)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's hook for 400: problem document under /api/, page elsewhere."""
    if request.path.startswith("/api/"):
        return _plain(Refused("malformed", UNKNOWN_HOST if isinstance(exception, DisallowedHost) else ""))
    return defaults.bad_request(request, exception)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's hook for 404: problem document under /api/, page elsewhere."""
    if request.path.startswith("/api/"):
        return _plain(Refused("not-found"))
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's hook for what no view has answered: 503 where a part does not answer that this needs, else 500.

    The page of either is made without the request: who asks may be just what cannot be known now.
    """
    error = sys.exc_info()[1]
    refused = as_refused(error) if isinstance(error, Exception) else None
    away = refused if refused is not None and refused.problem.status == 503 else None
    if request.path.startswith("/api/"):
        return _plain(away or Refused("internal"))
    if away is None:
        return defaults.server_error(request)
    return HttpResponse(loader.render_to_string("503.html", {"error": away}), status=503, headers=headers(away))


def _plain(error: Refused) -> HttpResponse:
    return JsonResponse(document(error), status=error.problem.status, headers=headers(error), content_type=CONTENT_TYPE)


def _detail(error: Exception) -> str:
    """Which field is wrong and how, in one line; never the value."""
    detail = getattr(error, "detail", "")
    if isinstance(detail, dict):
        return "; ".join(f"{name}: {' '.join(map(str, what))}" for name, what in detail.items())
    if isinstance(detail, list):
        return " ".join(map(str, detail))
    return str(detail)
