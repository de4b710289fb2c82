"""The tenant of a transaction."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction

from tenants.models import Tenant


@contextmanager
def tenant_scope(tenant: Tenant) -> Iterator[None]:
    """A transaction in which the application role sees and writes the rows of `tenant` and no others.

    Leaving it commits: it cannot be nested, so that no row is thought to be safe that is not. The setting is local
    to the transaction, because one of the session would survive the connection's return to the pool.
    """
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('app.tenant', %s, true)", [str(tenant.pk)])
        yield
