"""The database roles that serve, and how they come to exist."""

APP = "strongroom_app"
PROVIDER = "strongroom_provider"

# Policies name the roles, so migrations need them to exist; `manage.py prepare_roles` lets them log in.
CREATE_ROLES = "\n".join(
    f"""
DO $$ BEGIN
    CREATE ROLE {role} NOLOGIN NOSUPERUSER NOBYPASSRLS;
EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL;
END $$;"""
    for role in (APP, PROVIDER)
)
