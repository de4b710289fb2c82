from django.db import migrations

from tenants.rls import TENANT
from tenants.roles import APP, PROVIDER

# Narrower than `tenants.rls.row_level_security`: tenants read the log and never write it, and the portal, whoever it
# serves, may note an event but neither change nor remove one.
POLICIES = {
    "audit_logentry": [f"CREATE POLICY tenant ON {{table}} FOR SELECT TO {APP} USING (tenant_id = {TENANT})"],
    "audit_portalevent": [
        f"CREATE POLICY tenant ON {{table}} FOR SELECT TO {APP} USING (tenant_id = {TENANT})",
        f"CREATE POLICY note ON {{table}} FOR INSERT TO {APP} WITH CHECK (true)",
    ],
    "audit_lanecursor": [],
}


def lock(table, policies):
    return [
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
        f"CREATE POLICY provider ON {table} TO {PROVIDER} USING (true) WITH CHECK (true)",
        *(policy.format(table=table) for policy in policies),
    ]


def unlock(table, policies):
    names = ["provider", *(policy.split()[2] for policy in policies)]
    return [
        *(f"DROP POLICY {name} ON {table}" for name in names),
        f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY",
    ]


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial")]

    operations = [
        migrations.RunSQL(lock(table, policies), unlock(table, policies)) for table, policies in POLICIES.items()
    ]
