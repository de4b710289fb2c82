"""Three roles on one database: who migrates, and that objects read as one role may refer to those of another."""

from typing import Any


class RolesOfOneDatabase:
    """`default` and `provider` are other roles on the database that `owner` migrates."""

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        return db == "owner"

    def allow_relation(self, one: Any, other: Any, **hints: Any) -> bool:
        return True
