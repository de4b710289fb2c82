"""Writes `roles.md` from the table that pages go by. Run it with the project as PYTHONPATH."""

import os
from pathlib import Path

import django
from django.apps import apps

if not apps.ready:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.support.check_settings")
    django.setup()

from portal.pages.roles import CUSTOMER, PAGES, PROVIDER, ROLES
from portal.pages.urls import urlpatterns

PAGE = Path(__file__).with_name("roles.md")
_HEAD = """# Roles and pages

Written by `docs/write_roles.py` from `portal/pages/roles.py`, the table by which pages let people in.

What there is to see is **read**, a file that comes instead of a page is **download**, and what a form does is
**change**; **code** says that it also asks for a fresh one-time code, which has not served before. To the other side a
page does not exist (404); who is of the page's side and may not do something is told so (403). A customer's roles hold
in its own tenant alone: what is another's does not exist either.

| role | whose | |
| --- | --- | --- |
| owner, admin | a customer's | everything |
| operator | a customer's | the day's work: keys, client devices, jobs, messages of callbacks; reads the rest |
| auditor | a customer's | reads |
| domain, security, partition | the provider's officers | what [their class](quorum.md) decides, K of N of them |
| support | the provider's | reads what officers read: no customer's terms, payloads or results are among it |

Officers' logins are made with `manage.py link_officer`, support's with `manage.py add_support`. The REST interface has
its own declarations, method by method, which its description at `/api/docs/` shows.

"""


def page() -> str:
    """The page's text."""
    return "".join([_HEAD, _table("Customers", CUSTOMER), _table("The provider's people", PROVIDER)]).rstrip() + "\n"


def _table(title: str, side: frozenset[str]) -> str:
    roles = [one for one in ROLES if one in side]
    lines = [f"## {title}\n", "| page | address | " + " | ".join(roles) + " |", "| --- " * (len(roles) + 2) + "|"]
    addresses = _addresses()
    for name, rule in PAGES.items():
        if not side & (rule.read | rule.change):
            continue
        code = ", code" if rule.fresh_code else ""
        read = "download" if rule.download else "read"
        cells = [
            ", ".join(([read] if one in rule.read else []) + ([f"change{code}"] if one in rule.change else []))
            for one in roles
        ]
        lines.append(f"| {name} | `{addresses[name]}` | " + " | ".join(cells) + " |")
    return "\n".join(lines) + "\n\n"


def _addresses() -> dict[str, str]:
    return {str(one.name): "/" + _without_kinds(str(one.pattern)) for one in urlpatterns}


def _without_kinds(pattern: str) -> str:
    return pattern.replace("<str:", "<").replace("<int:", "<").replace("<", "{").replace(">", "}")


if __name__ == "__main__":
    PAGE.write_text(page())
