"""The mail with which somebody is invited."""

import logging
from smtplib import SMTPException

from django.conf import settings
from django.core.mail import send_mail

from tenants.models import Invitation

logger = logging.getLogger(__name__)
_TEXT = """\
{by} invites you to {tenant} at {provider}'s Strongroom, as {role}.

Choose a user name and a password, and set up an authenticator for one-time codes:

    {link}

The link serves once, until {expires:%Y-%m-%d %H:%M} UTC. If you did not expect it, do nothing.
Nobody ever needs your password or a one-time code by mail or telephone.
"""


def send_invitation(invitation: Invitation, link: str) -> str:
    """Whether it went off: the address that it went to, or empty where the mail server did not take it."""
    text = _TEXT.format(
        by=invitation.invited_by,
        tenant=invitation.tenant.name,
        provider=settings.PROVIDER,
        role=invitation.role,
        link=link,
        expires=invitation.expires,
    )
    try:
        send_mail(f"Strongroom: an invitation to {invitation.tenant.name}", text, None, [invitation.email])
    except (OSError, SMTPException) as error:
        logger.warning("An invitation was not sent: %s", type(error).__name__)
        return ""
    return invitation.email
