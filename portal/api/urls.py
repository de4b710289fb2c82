"""The REST interface, version 1 (docs/spec/rest.md)."""

from django.urls import include, path

urlpatterns = [
    path("", include("portal.api.session")),
    path("", include("tenants.api.urls")),
    path("", include("tee.api.urls")),
    path("", include("portal.quorum.urls")),
    path("", include("portal.audit.urls")),
]
