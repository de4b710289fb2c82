from celery import shared_task

from portal.quorum import notices, services


@shared_task
def settle_open_actions() -> int:
    """Finish actions whose approvals are complete but whose answer was lost, and close the expired ones."""
    return services.settle_open_actions()


@shared_task
def tell_officers() -> int:
    """Mail officers what they should know of actions."""
    return notices.tell_officers()
