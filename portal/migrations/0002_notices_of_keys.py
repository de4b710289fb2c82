"""A new key is told of by its name, so that the data plane forgets no more than that (portal/dataplane/changes.py).

A notice without a payload still means: everything may have changed.
"""

from django.db import migrations

CREATE = """
CREATE FUNCTION dataplane_keys_notice() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (SELECT count(*) FROM added) > 100 THEN
        NOTIFY strongroom_dataplane;
    ELSE
        PERFORM pg_notify('strongroom_dataplane', json_build_array(tenant_id, key_id, name)::text) FROM added;
    END IF;
    RETURN NULL;
END $$;
DROP TRIGGER dataplane_notice ON tee_key;
CREATE TRIGGER dataplane_notice AFTER DELETE OR TRUNCATE OR UPDATE OF tenant_id, partition_id, key_id, name
    ON tee_key FOR EACH STATEMENT EXECUTE FUNCTION dataplane_notice();
CREATE TRIGGER dataplane_keys_notice AFTER INSERT ON tee_key REFERENCING NEW TABLE AS added
    FOR EACH STATEMENT EXECUTE FUNCTION dataplane_keys_notice();
"""

DROP = """
DROP TRIGGER dataplane_keys_notice ON tee_key;
DROP FUNCTION dataplane_keys_notice();
DROP TRIGGER dataplane_notice ON tee_key;
CREATE TRIGGER dataplane_notice AFTER INSERT OR DELETE OR TRUNCATE OR UPDATE OF tenant_id, partition_id, key_id, name
    ON tee_key FOR EACH STATEMENT EXECUTE FUNCTION dataplane_notice();
"""


class Migration(migrations.Migration):
    dependencies = [("portal", "0001_dataplane_notices")]

    operations = [migrations.RunSQL(CREATE, DROP)]
