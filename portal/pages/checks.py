"""What Django checks of the pages at the start of every process, and of `makemigrations --check`."""

from typing import Any

from django.core import checks

from portal.pages.roles import unknown_pages
from portal.pages.urls import urlpatterns


@checks.register(checks.Tags.security)
def each_page_has_a_rule(**_: Any) -> list[checks.CheckMessage]:
    hint = "Add it to PAGES in portal/pages/roles.py, with who may read and change there."
    return [
        checks.Error(f"The page {name!r} is for nobody that is said", hint=hint, id="pages.E001")
        for name in unknown_pages([str(one.name) for one in urlpatterns])
    ]
