from django.apps import AppConfig


class QuorumConfig(AppConfig):
    name = "portal.quorum"
    default_auto_field = "django.db.models.BigAutoField"
