"""The people of a development installation."""

from pathlib import Path

from django.core.validators import validate_email

from stack.layout import State
from stack.people import make_people


def test_everyone_has_a_valid_address_of_their_own(tmp_path: Path) -> None:
    people = make_people(State(tmp_path))
    addresses = [one.email for one in (*people.officers, *people.admins.values())]
    for one in addresses:
        validate_email(one)
    assert len(set(addresses)) == len(addresses)
    assert people.of("alice@acme").email == "alice.acme@customers.example"
