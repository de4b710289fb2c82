"""Work of this package that may wait."""

from celery import shared_task

from tee import imports, listing, partitions, services


@shared_task
def settle_imports() -> None:
    """Complete or fail imports that were interrupted."""
    imports.settle_stale()


@shared_task
def publish_rotated_keys() -> None:
    """Publish wrapping keys that officers have rotated in the device."""
    services.publish_rotated_keys()


@shared_task
def refresh_keys() -> None:
    """Bring the keys' states up to date with the TEE."""
    services.refresh_all_keys()


@shared_task
def list_vendor_keys() -> None:
    """Tell the manufacturer of vendor keys that it may not have heard of."""
    listing.try_to_list_vendor_keys()


@shared_task
def follow_destructions() -> None:
    """Learn which partitions the TEE has destroyed since, or keeps."""
    partitions.follow_destructions()
