"""What is said of a defect: where it happened and of what kind, never its text, which might quote a secret."""

import logging
import sys
import traceback

logger = logging.getLogger("hsm")


def log_fault(where: str) -> None:
    """Log the exception that is being handled, without its text."""
    kind, _, trace = sys.exc_info()
    logger.error("%s failed: %s\n%s", where, kind, "".join(traceback.format_tb(trace)))
