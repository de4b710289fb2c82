from django.apps import AppConfig


class AuthenticatorsConfig(AppConfig):
    name = "portal.authenticators"
    default_auto_field = "django.db.models.BigAutoField"
