"""What is served where."""

from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, URLResolver, include, path
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularYAMLAPIView

from portal import health, metrics, problems
from portal.pages.views.reference import reference

_yaml, _json = SpectacularYAMLAPIView.as_view(), SpectacularJSONAPIView.as_view()


def schema(request: HttpRequest) -> HttpResponse:
    """The description in YAML, or with `?format=json` in JSON. (Elsewhere `format` is a parameter like any other.)"""
    return (_json if request.GET.get("format") == "json" else _yaml)(request)


urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("metrics", metrics.metrics),
    path("api/schema/", schema, name="schema"),
    path("api/docs/", reference, name="docs"),
    path("api/v1/", include("portal.api.urls")),
    path("", include("portal.pages.urls")),
]

handler400 = problems.bad_request
handler404 = problems.page_not_found
handler500 = problems.server_error
