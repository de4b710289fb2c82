from django.apps import AppConfig


class CallbacksConfig(AppConfig):
    name = "portal.callbacks"
    default_auto_field = "django.db.models.BigAutoField"
