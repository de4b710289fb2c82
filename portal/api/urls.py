"""The REST interface, version 1 (docs/spec/rest.md)."""

from django.urls import include, path

from portal.api import (
    description,  # noqa: F401 - registers the authentication scheme
    world_log,
)

urlpatterns = [
    path("", include("portal.api.session")),
    path("", include("tenants.api.urls")),
    path("", include("tee.api.urls")),
    path("", include("portal.dataplane.description")),
    path("", include("portal.dataplane.operations_api")),
    path("", include("portal.jobs.urls")),
    path("", include("portal.callbacks.urls")),
    path("", include("portal.quorum.urls")),
    path("officer/world/log", world_log.WorldLog.as_view()),
    path("officer/world/checkpoint", world_log.WorldCheckpoint.as_view()),
    path("", include("portal.audit.urls")),
]
