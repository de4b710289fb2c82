"""A login belongs to an officer as the TEE names it, with whichever of the cards: no longer to one card.

Which name that is only the TEE knows: the user name is what development installations call their cards. Elsewhere
`manage.py link_officer` says it again.
"""

from django.apps.registry import Apps
from django.db import migrations, models
from django.db.backends.base.schema import BaseDatabaseSchemaEditor


def name_officers(apps: Apps, schema_editor: BaseDatabaseSchemaEditor) -> None:
    for officer in apps.get_model("quorum", "OfficerProfile").objects.using(schema_editor.connection.alias).all():
        officer.name = officer.user.username
        officer.save(update_fields=["name"])


class Migration(migrations.Migration):
    dependencies = [("quorum", "0004_support_reads")]

    operations = [
        migrations.AddField("officerprofile", "name", models.CharField(max_length=200, default=""), False),
        migrations.RunPython(name_officers, migrations.RunPython.noop),
        migrations.RemoveField("officerprofile", "card_fingerprint"),
        migrations.AddConstraint(
            "officerprofile",
            models.UniqueConstraint(fields=["officer_class", "name"], name="one_login_for_an_officer"),
        ),
    ]
