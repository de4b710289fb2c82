import django.contrib.postgres.indexes
from django.db import migrations


class Migration(migrations.Migration):
    dependencies = [("audit", "0005_last_uses")]

    operations = [
        migrations.AddIndex(
            model_name="activity",
            index=django.contrib.postgres.indexes.BrinIndex(fields=["hour"], name="activity_by_hour"),
        ),
    ]
