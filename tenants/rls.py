"""Row-level security: the second lock on every tenant table, behind the ORM's own scoping.

A migration that creates a tenant table names it in `row_level_security`. The application role then sees only rows of
the tenant that `tenants.scoping.tenant_scope` set for the transaction, and none where it set none. The provider role
has a policy of its own; what it may do with the rows that it sees is a matter of grants (`manage.py prepare_roles`).
"""

from typing import Any

from django.db.migrations import RunSQL

from tenants.roles import APP, PROVIDER

TENANT = "nullif(current_setting('app.tenant', true), '')::bigint"


def row_level_security(*tables: str) -> RunSQL:
    """The migration operation that puts `tables`, which have a column `tenant_id`, under row-level security."""
    lock: list[Any] = []
    unlock: list[Any] = []
    for table in tables:
        lock += [
            f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
            f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
            f"CREATE POLICY tenant ON {table} TO {APP} USING (tenant_id = {TENANT}) WITH CHECK (tenant_id = {TENANT})",
            f"CREATE POLICY provider ON {table} TO {PROVIDER} USING (true) WITH CHECK (true)",
        ]
        unlock += [
            f"DROP POLICY provider ON {table}",
            f"DROP POLICY tenant ON {table}",
            f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY",
            f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY",
        ]
    return RunSQL(lock, unlock)
