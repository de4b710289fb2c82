"""What is served where."""

from django.urls import URLPattern, URLResolver, include, path
from drf_spectacular.views import SpectacularAPIView

from portal import health, problems
from portal.pages.views import api_description

urlpatterns: list[URLPattern | URLResolver] = [
    path("healthz", health.healthz),
    path("readyz", health.readyz),
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", api_description, name="docs"),
    path("api/v1/", include("portal.api.urls")),
    path("", include("portal.pages.urls")),
]

handler400 = problems.bad_request
handler404 = problems.page_not_found
handler500 = problems.server_error
