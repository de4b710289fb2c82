"""Triggers that tell the data plane of every change to what it caches (portal/dataplane/changes.py)."""

from django.conf import settings
from django.db import migrations

CREATE = """
CREATE FUNCTION dataplane_notice() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    NOTIFY strongroom_dataplane;
    RETURN NULL;
END $$;
CREATE TRIGGER dataplane_notice AFTER UPDATE OR DELETE OR TRUNCATE ON knox_authtoken
    FOR EACH STATEMENT EXECUTE FUNCTION dataplane_notice();
CREATE TRIGGER dataplane_notice AFTER UPDATE OF is_active, kind, username OR DELETE OR TRUNCATE ON tenants_user
    FOR EACH STATEMENT EXECUTE FUNCTION dataplane_notice();
CREATE TRIGGER dataplane_notice AFTER UPDATE OR DELETE OR TRUNCATE ON tenants_membership
    FOR EACH STATEMENT EXECUTE FUNCTION dataplane_notice();
CREATE TRIGGER dataplane_notice AFTER UPDATE OR DELETE OR TRUNCATE ON tenants_tenant
    FOR EACH STATEMENT EXECUTE FUNCTION dataplane_notice();
CREATE TRIGGER dataplane_notice AFTER UPDATE OR DELETE OR TRUNCATE ON tenants_partition
    FOR EACH STATEMENT EXECUTE FUNCTION dataplane_notice();
CREATE TRIGGER dataplane_notice AFTER INSERT OR DELETE OR TRUNCATE OR UPDATE OF tenant_id, partition_id, key_id, name
    ON tee_key FOR EACH STATEMENT EXECUTE FUNCTION dataplane_notice();
"""

DROP = """
DROP TRIGGER dataplane_notice ON knox_authtoken;
DROP TRIGGER dataplane_notice ON tenants_user;
DROP TRIGGER dataplane_notice ON tenants_membership;
DROP TRIGGER dataplane_notice ON tenants_tenant;
DROP TRIGGER dataplane_notice ON tenants_partition;
DROP TRIGGER dataplane_notice ON tee_key;
DROP FUNCTION dataplane_notice();
"""


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("knox", "0009_extend_authtoken_field"),
        ("tee", "0002_row_level_security"),
        ("tenants", "0002_row_level_security"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [migrations.RunSQL(CREATE, DROP)]
