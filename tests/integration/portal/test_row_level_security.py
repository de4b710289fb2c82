"""The second lock: what the database shows to the application's role, whatever the application asks."""

from collections.abc import Iterator

import psycopg
import pytest

from tests.support.portal import Organisation, make_customer
from tests.support.sealed import SealedDevice

TABLES = [
    "tenants_apiclient",
    "tenants_clientdevice",
    "tenants_partition",
    "tenants_idempotentrequest",
    "tee_import",
    "tee_key",
    "callbacks_callback",
    "callbacks_delivery",
    "jobs_operation",
    "jobs_job",
    "jobs_chunk",
]


@pytest.fixture
def app() -> Iterator[psycopg.Connection]:
    """A plain connection as the application's role."""
    from django.conf import settings

    with psycopg.connect(settings.DATABASE_URL, autocommit=True) as connection:
        yield connection


def tenant_tables() -> list[str]:
    """Every table that has a tenant, but the identity tables (`tenants.models`)."""
    from django.apps import apps

    identity = {"tenants_membership", "tenants_invitation"}
    tables = []
    for model in apps.get_models():
        if any(field.column == "tenant_id" for field in model._meta.fields) and model._meta.db_table not in identity:
            tables.append(model._meta.db_table)
    return tables


def test_every_tenant_table_is_under_forced_row_level_security(app: psycopg.Connection) -> None:
    tables = tenant_tables()
    assert len(tables) >= 5
    for table in tables:
        row = app.execute("SELECT relrowsecurity, relforcerowsecurity FROM pg_class WHERE relname = %s", [table])
        assert row.fetchone() == (True, True), table


def test_roles_cannot_step_around_it(app: psycopg.Connection) -> None:
    for role in ("strongroom_app", "strongroom_provider", "strongroom_owner"):
        row = app.execute("SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = %s", [role])
        assert row.fetchone() == (False, False)


@pytest.mark.parametrize("table", TABLES)
def test_rows_are_seen_only_in_their_own_tenants_scope(
    app: psycopg.Connection, table: str, full_tenants: tuple[Organisation, Organisation]
) -> None:
    for mine, other in (full_tenants, full_tenants[::-1]):
        # Without a scope: nothing.
        assert app.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)
        with app.transaction():
            app.execute("SELECT set_config('app.tenant', %s, true)", [str(mine.tenant.pk)])
            seen = {row[0] for row in app.execute(f"SELECT tenant_id FROM {table}")}
            assert seen == {mine.tenant.pk}
            # Asked for by name, the other tenant's rows are neither read, changed nor deleted.
            where = f"{table} WHERE tenant_id = {other.tenant.pk}"
            assert app.execute(f"SELECT count(*) FROM {where}").fetchone() == (0,)
            assert app.execute(f"DELETE FROM {where}").rowcount == 0
        # The scope ended with the transaction.
        assert app.execute(f"SELECT count(*) FROM {table}").fetchone() == (0,)


def test_a_row_cannot_be_written_for_another_tenant(
    app: psycopg.Connection, acme: Organisation, globex: Organisation
) -> None:
    statement = (
        "INSERT INTO tenants_clientdevice (tenant_id, name, credential, fingerprint, status, created) "
        "VALUES (%s, 'planted', '{}', 'x', 'enrolled', now())"
    )
    with app.transaction(force_rollback=True):
        app.execute("SELECT set_config('app.tenant', %s, true)", [str(acme.tenant.pk)])
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute(statement, [globex.tenant.pk])


def test_a_scope_does_not_outlive_its_transaction_in_the_pool(acme: Organisation) -> None:
    from django.db import connection

    from tenants.models import ApiClient
    from tenants.scoping import tenant_scope

    with tenant_scope(acme.tenant):
        assert ApiClient.objects.count() >= 1
    assert ApiClient.objects.count() == 0
    connection.close()
    assert ApiClient.objects.count() == 0


def test_scopes_cannot_be_nested(acme: Organisation, globex: Organisation) -> None:
    from tenants.scoping import tenant_scope

    with tenant_scope(acme.tenant), pytest.raises(RuntimeError), tenant_scope(globex.tenant):
        pass


def test_the_application_has_no_business_with_officers_actions(app: psycopg.Connection) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        app.execute("SELECT * FROM quorum_adminaction")


def test_the_application_cannot_change_the_log_or_published_keys(app: psycopg.Connection) -> None:
    for table in ("audit_logentry", "tee_device", "tee_vendorkey", "tee_providerkey"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute(f"DELETE FROM {table}")


@pytest.fixture(scope="module")
def full_tenants(acme: Organisation, globex: Organisation, device: SealedDevice) -> tuple[Organisation, Organisation]:
    """Two tenants with a row in every tenant table."""
    from tests.support.keys import import_p256
    from tests.support.sealed_calls import operations_key

    for organisation in (acme, globex):
        customer = make_customer(organisation, device)
        import_p256(organisation, customer, "rls")
        body = {"name": "laptop", "credential": {"kty": "OKP", "crv": "Ed25519", "x": "A" * 42 + "A"}}
        assert organisation.as_owner().post("devices", json=body, headers={"Idempotency-Key": "rls"}).status_code == 201
        callback = organisation.as_owner().post("callbacks", json={"url": "http://127.0.0.1:1/"}).json()["id"]
        assert organisation.as_owner().post(f"callbacks/{callback}/ping").status_code == 202
        app = organisation.as_client()
        assert app.post("keys/rls/sign?async=1", json={"payload": "YQ=="}).status_code == 202
        job = {"key": "rls", "operation": "sign", "version": 1, "mechanism": "ECDSA-SHA256", "chunks": 1}
        job = app.post("jobs", json=job | {"operations_key": operations_key(customer).key_id}).json()["id"]
        assert app.put(f"jobs/{job}/chunks/0", json={"sealed": "YQ==", "items": 1}).status_code == 201
    return acme, globex
