from django.db import migrations

from tenants.rls import row_level_security


class Migration(migrations.Migration):
    dependencies = [("tee", "0001_initial"), ("tenants", "0002_row_level_security")]

    operations = [row_level_security("tee_import", "tee_key")]
