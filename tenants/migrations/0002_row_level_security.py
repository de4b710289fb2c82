from django.db import migrations

from tenants.rls import row_level_security
from tenants.roles import CREATE_ROLES


class Migration(migrations.Migration):
    dependencies = [("tenants", "0001_initial")]

    operations = [
        migrations.RunSQL(CREATE_ROLES, migrations.RunSQL.noop),
        row_level_security("tenants_apiclient", "tenants_clientdevice", "tenants_partition"),
    ]
