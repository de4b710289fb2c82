"""What a tenant's short name may be, and what anything may be called that others read and decide by."""

from django.core.exceptions import ValidationError
from django.core.validators import RegexValidator

check_slug = RegexValidator(
    r"\A[a-z0-9][a-z0-9-]*\Z", "A short name has small letters, digits and hyphens, and begins with no hyphen."
)
"""Raises `ValidationError` for another name than a new tenant may have. It stands in what devices sign, in addresses
and in files' names."""


def check_readable(name: str) -> None:
    """Raises `ValidationError` for what would not be read as it is written: by a character that reverses the text after
    it, an officer who decides on a partition's label or somebody who looks for a client would see another name."""
    if not name.isprintable():
        raise ValidationError("Leave out line breaks and characters that are not seen or turn the text around.")
