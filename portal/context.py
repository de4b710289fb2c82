"""What every page knows about the installation."""

from django.conf import settings
from django.http import HttpRequest


def installation(request: HttpRequest) -> dict[str, object]:
    """`development`: show the banner. `provider`: whose portal this is."""
    return {"development": settings.DEVELOPMENT, "provider": settings.PROVIDER}
