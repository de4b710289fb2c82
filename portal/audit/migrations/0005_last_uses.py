import django.db.models.deletion
from django.db import migrations, models

from tenants.rls import TENANT
from tenants.roles import APP, PROVIDER

LOCK = [
    "ALTER TABLE audit_logentry NO FORCE ROW LEVEL SECURITY",
    """
    INSERT INTO audit_lastuse (tenant_id, principal, at)
    SELECT tenant_id, principal, max(at) FROM audit_logentry
    WHERE tenant_id IS NOT NULL AND principal <> '' GROUP BY 1, 2
    """,
    "SET CONSTRAINTS ALL IMMEDIATE",
    "ALTER TABLE audit_logentry FORCE ROW LEVEL SECURITY",
    "ALTER TABLE audit_lastuse ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE audit_lastuse FORCE ROW LEVEL SECURITY",
    f"CREATE POLICY provider ON audit_lastuse TO {PROVIDER} USING (true) WITH CHECK (true)",
    f"CREATE POLICY tenant ON audit_lastuse FOR SELECT TO {APP} USING (tenant_id = {TENANT})",
]


class Migration(migrations.Migration):
    dependencies = [("audit", "0004_looked_for_and_counted"), ("tenants", "0006_people_have_addresses")]

    operations = [
        migrations.CreateModel(
            name="LastUse",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("principal", models.CharField(max_length=128)),
                ("at", models.DateTimeField()),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "principal"), name="one_last_use_of_a_principal")
                ],
            },
        ),
        migrations.RunSQL(LOCK, migrations.RunSQL.noop),
    ]
