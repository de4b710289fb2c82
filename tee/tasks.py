"""Work of this package that may wait."""

from celery import shared_task

from tee import imports, services


@shared_task
def settle_imports() -> None:
    """Complete or fail imports that were interrupted."""
    imports.settle_stale()


@shared_task
def refresh_keys() -> None:
    """Bring the keys' states up to date with the TEE."""
    services.refresh_all_keys()
