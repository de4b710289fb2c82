from django.apps import AppConfig


class AuditConfig(AppConfig):
    name = "portal.audit"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from portal.audit import receivers  # noqa: F401, PLC0415  (connects the portal's own events)
