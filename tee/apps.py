from django.apps import AppConfig


class TeeConfig(AppConfig):
    name = "tee"
    default_auto_field = "django.db.models.BigAutoField"
