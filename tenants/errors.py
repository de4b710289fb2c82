"""How the database's own refusals become the catalogue's."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import IntegrityError
from psycopg.errors import UniqueViolation

from strongroom.protocol.errors import Refused


@contextmanager
def conflict(detail: str) -> Iterator[None]:
    """Around a transaction: a broken uniqueness is `Refused("conflict", detail)`."""
    try:
        yield
    except IntegrityError as error:
        if isinstance(error.__cause__, UniqueViolation):
            raise Refused("conflict", detail) from None
        raise
