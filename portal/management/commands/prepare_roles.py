"""`manage.py prepare_roles`: let the two roles that serve log in, and grant them what they may do. Idempotent."""

from typing import Any

from django.apps import apps
from django.conf import settings
from django.core.management.base import BaseCommand
from django.db import connections, transaction
from psycopg import sql

from tenants.roles import APP, CREATE_ROLES, PROVIDER

EVERYTHING = "SELECT, INSERT, UPDATE, DELETE"
READ = "SELECT"

APP_EXCEPTIONS = {
    "quorum": "",
    "audit_lanecursor": "",
    "audit_logentry": READ,
    "audit_activity": READ,
    "audit_lastuse": READ,
    "audit_portalevent": "SELECT, INSERT",
    "audit_eventmail": "",
    "tee_device": READ,
    "tee_vendorkey": READ,
    "tee_providerkey": READ,
    "tee_operationskey": READ,
    "tee_enginekey": "",
}
"""By application or table: where the tenants' role may not do everything."""

PROVIDER_EXCEPTIONS = {
    "authenticators": "",
    "quorum": EVERYTHING,
    "audit_lanecursor": EVERYTHING,
    "audit_logentry": "SELECT, INSERT, UPDATE",
    "audit_activity": "SELECT, INSERT, UPDATE",
    "audit_lastuse": "SELECT, INSERT, UPDATE",
    "audit_portalevent": "SELECT, INSERT",
    "audit_eventmail": "SELECT, INSERT",
    "tee_device": EVERYTHING,
    "tee_vendorkey": EVERYTHING,
    "tee_providerkey": EVERYTHING,
    "tee_operationskey": EVERYTHING,
    "tee_enginekey": EVERYTHING,
    "tenants_partition": "SELECT, UPDATE",
    "tenants_idempotentrequest": "SELECT, DELETE",
    "callbacks_delivery": "SELECT, DELETE",
    "jobs_operation": "SELECT, DELETE",
    "jobs_job": "SELECT, UPDATE, DELETE",
    "jobs_chunk": "SELECT, DELETE",
}
"""By application or table: where the officers' and log copier's role may do more than read."""


class Command(BaseCommand):
    help = "Create the serving roles where missing, let them log in, and grant them their rights."

    def handle(self, *args: Any, **options: Any) -> None:
        with transaction.atomic(using="owner"), connections["owner"].cursor() as cursor:
            cursor.execute(CREATE_ROLES)
            # 1. Both may log in, with the password of their URL where it has one.
            for role, alias in ((APP, "default"), (PROVIDER, "provider")):
                password = settings.DATABASES[alias]["PASSWORD"] or None
                cursor.execute(
                    sql.SQL("ALTER ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(role), sql.Literal(password))
                )
            # 2. What each may do with each table; row-level security says with which rows.
            cursor.execute(f"GRANT USAGE ON SCHEMA public TO {APP}, {PROVIDER}")
            cursor.execute(f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {APP}, {PROVIDER}")
            for model in apps.get_models(include_auto_created=True):
                if not model._meta.managed or model._meta.proxy:
                    continue
                table = sql.Identifier(model._meta.db_table)
                label = model._meta.app_label
                for role, rights in _rights(label, model._meta.db_table):
                    cursor.execute(sql.SQL(f"REVOKE ALL ON {{}} FROM {role}").format(table))
                    if rights:
                        cursor.execute(sql.SQL(f"GRANT {rights} ON {{}} TO {role}").format(table))
        self.stdout.write("The roles are ready.")


def _rights(label: str, table: str) -> list[tuple[str, str]]:
    return [
        (APP, APP_EXCEPTIONS.get(table, APP_EXCEPTIONS.get(label, EVERYTHING))),
        (PROVIDER, PROVIDER_EXCEPTIONS.get(table, PROVIDER_EXCEPTIONS.get(label, READ))),
    ]
