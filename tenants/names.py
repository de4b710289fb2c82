"""What a tenant's short name may be. It stands in what devices sign, in addresses and in files' names."""

from django.core.validators import RegexValidator

check_slug = RegexValidator(
    r"\A[a-z0-9][a-z0-9-]*\Z", "A short name has small letters, digits and hyphens, and begins with no hyphen."
)
"""Raises `ValidationError` for another name than a new tenant may have."""
