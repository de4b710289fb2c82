import logging

from celery import shared_task

from portal.audit import mails, selectors, services
from strongroom.protocol.errors import Refused

logger = logging.getLogger(__name__)

LAG_WORTH_A_WARNING = 10.0


@shared_task
def copy_log() -> int:
    """Copy what is new. A sealed or stopped device is no failure of this task: there is nothing to copy meanwhile."""
    lag = selectors.copy_lag()
    if lag is not None and lag.total_seconds() > LAG_WORTH_A_WARNING:
        logger.warning("log_copy_lag_seconds=%.1f", lag.total_seconds())
    try:
        return services.copy_log()
    except Refused as error:
        if error.code not in {"hsm-sealed", "hsm-unreachable", "hsm-wrong-state"}:
            raise
        return 0


@shared_task
def tell_people() -> int:
    """Mail tenants' people what they should know of their keys."""
    return mails.tell_people()
