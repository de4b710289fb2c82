"""The REST interface, version 1 (docs/spec/rest.md)."""

from django.urls import URLPattern, URLResolver

urlpatterns: list[URLPattern | URLResolver] = []
