import django.db.models.deletion
from django.db import migrations, models
from django.db.models import Q

from tenants.rls import TENANT
from tenants.roles import APP, PROVIDER

# Row-level security binds the migrating role too, so it is lifted from it meanwhile.
READ_OUT = [
    "ALTER TABLE audit_logentry NO FORCE ROW LEVEL SECURITY",
    """
    UPDATE audit_logentry AS row SET at = to_timestamp((said ->> 'time')::bigint), event = said ->> 'event',
        result = coalesce(said ->> 'result', 'ok'), key = coalesce(said ->> 'key', ''),
        principal = coalesce(said ->> 'principal', '')
    FROM (SELECT id, convert_from(entry, 'UTF8')::jsonb AS said FROM audit_logentry) AS read WHERE read.id = row.id
    """,
    "ALTER TABLE audit_logentry FORCE ROW LEVEL SECURITY",
]
COUNT = [
    "ALTER TABLE audit_logentry NO FORCE ROW LEVEL SECURITY",
    """
    INSERT INTO audit_activity (tenant_id, hour, key, event, ok, count)
    SELECT tenant_id, date_trunc('hour', at, 'UTC'), key, event, result = 'ok', count(*)
    FROM audit_logentry WHERE tenant_id IS NOT NULL GROUP BY 1, 2, 3, 4, 5
    """,
    "SET CONSTRAINTS ALL IMMEDIATE",
    "ALTER TABLE audit_logentry FORCE ROW LEVEL SECURITY",
    "ALTER TABLE audit_activity ENABLE ROW LEVEL SECURITY",
    "ALTER TABLE audit_activity FORCE ROW LEVEL SECURITY",
    f"CREATE POLICY provider ON audit_activity TO {PROVIDER} USING (true) WITH CHECK (true)",
    f"CREATE POLICY tenant ON audit_activity FOR SELECT TO {APP} USING (tenant_id = {TENANT})",
]


class Migration(migrations.Migration):
    dependencies = [("audit", "0003_events_are_mailed"), ("tenants", "0006_people_have_addresses")]

    operations = [
        migrations.AddField("logentry", "at", models.DateTimeField(null=True)),
        migrations.AddField("logentry", "event", models.CharField(max_length=64, default=""), preserve_default=False),
        migrations.AddField("logentry", "result", models.CharField(max_length=64, default=""), preserve_default=False),
        migrations.AddField(
            "logentry", "key", models.CharField(blank=True, max_length=64, default=""), preserve_default=False
        ),
        migrations.AddField(
            "logentry", "principal", models.CharField(blank=True, max_length=128, default=""), preserve_default=False
        ),
        migrations.RunSQL(READ_OUT, migrations.RunSQL.noop),
        migrations.AlterField("logentry", "at", models.DateTimeField()),
        migrations.AddIndex(
            "logentry",
            models.Index(condition=~Q(("key", "")), fields=["tenant", "key", "id"], name="log_entry_of_key"),
        ),
        migrations.CreateModel(
            name="Activity",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("hour", models.DateTimeField()),
                ("key", models.CharField(blank=True, max_length=64)),
                ("event", models.CharField(max_length=64)),
                ("ok", models.BooleanField()),
                ("count", models.PositiveBigIntegerField()),
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
                    models.UniqueConstraint(
                        fields=("tenant", "hour", "key", "event", "ok"), name="one_count_of_an_hour"
                    )
                ],
            },
        ),
        migrations.RunSQL(COUNT, migrations.RunSQL.noop),
    ]
