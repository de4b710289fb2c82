"""The provider's portal: a Django project. It knows tenants and opaque envelopes, and never a key or its terms."""

from portal.celery import app as celery_app

__all__ = ["celery_app"]
