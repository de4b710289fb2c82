"""What the process is told by its environment: read once, here, with an error that names the variable."""

import os
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from psycopg.conninfo import conninfo_to_dict


def required(name: str) -> str:
    """The variable's value. Raises `ImproperlyConfigured` where it is missing or empty."""
    value = os.environ.get(name, "")
    if not value:
        raise ImproperlyConfigured(f"Set {name} (README, configuration)")
    return value


def secret_file(name: str) -> str:
    """The content of the file that the variable names: secrets are never in the environment itself."""
    try:
        content = Path(required(name)).read_text().strip()
    except OSError as error:
        raise ImproperlyConfigured(f"{name}: {error.strerror}") from None
    if len(content) < 32:
        raise ImproperlyConfigured(f"{name}: the file holds fewer than 32 characters")
    return content


def optional_secret(name: str) -> str:
    """The content of the file that the variable names, empty where it names none."""
    try:
        return Path(os.environ[name]).read_text().strip() if os.environ.get(name) else ""
    except OSError as error:
        raise ImproperlyConfigured(f"{name}: {error.strerror}") from None


def database(url: str) -> dict[str, Any]:
    """Django's settings for a `postgresql://` URL, which libpq's own parser reads (unix sockets, options and all)."""
    parts = {name: str(value) for name, value in conninfo_to_dict(url).items()}
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": parts.pop("dbname", ""),
        "USER": parts.pop("user", ""),
        "PASSWORD": parts.pop("password", ""),
        "HOST": parts.pop("host", ""),
        "PORT": parts.pop("port", ""),
        "CONN_MAX_AGE": 0,
        "CONN_HEALTH_CHECKS": True,
        "OPTIONS": {**parts, "pool": {"min_size": 0, "max_size": 8, "timeout": 5, "max_idle": 300}},
        "DISABLE_SERVER_SIDE_CURSORS": True,
    }


def cache_url(url: str) -> str:
    """redis-py's spelling of a cache URL: Celery writes unix sockets as `redis+socket://`, redis-py as `unix://`."""
    return "unix://" + url.removeprefix("redis+socket://") if url.startswith("redis+socket://") else url


def seconds(name: str, default: str) -> list[int]:
    """The numbers of a list with commas. Raises `ImproperlyConfigured`."""
    try:
        return [int(one) for one in os.environ.get(name, default).split(",")]
    except ValueError:
        raise ImproperlyConfigured(f"{name}: not a list of seconds, such as {default}") from None
