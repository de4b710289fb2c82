"""Seeds that stood in clear in django-otp's own table move into ours, encrypted; none stays there."""

from typing import Any

from django.db import migrations

from tee import at_rest


def encrypt(apps: Any, editor: Any) -> None:
    alias = editor.connection.alias
    old = apps.get_model("otp_totp", "TOTPDevice").objects.using(alias)
    new = apps.get_model("authenticators", "Authenticator").objects.using(alias)
    for one in old.all():
        new.create(
            user_id=one.user_id,
            name=one.name,
            confirmed=one.confirmed,
            last_t=one.last_t,
            sealed_seed=at_rest.seal(f"authenticator of {one.user_id}", bytes.fromhex(one.key)),
        )
    old.all().delete()


class Migration(migrations.Migration):
    dependencies = [("authenticators", "0001_initial"), ("otp_totp", "0003_add_timestamps")]

    operations = [migrations.RunPython(encrypt, migrations.RunPython.noop)]
