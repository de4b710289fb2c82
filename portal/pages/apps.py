from importlib import import_module

from django.apps import AppConfig


class PagesConfig(AppConfig):
    name = "portal.pages"

    def ready(self) -> None:
        import_module("portal.pages.checks")
