"""Bearer tokens at the REST interface: bad, expired, revoked."""

import pytest

from tests.support.portal import Browser, Organisation, code_of


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic abc", "Bearer nonsense", "Bearer a b"])
def test_what_is_no_token_is_refused(header: str | None) -> None:
    headers = {} if header is None else {b"Authorization": header.encode("latin-1")}
    response = Browser().get("whoami", headers=headers)
    assert code_of(response) == "unauthenticated"
    assert response.headers["www-authenticate"] == "Bearer"


def test_an_expired_token_is_told_so(acme: Organisation) -> None:
    from datetime import timedelta

    from knox.models import AuthToken

    _, token = AuthToken.objects.create(user=acme.owner, expiry=timedelta(seconds=-1))
    for _ in range(2):
        response = Browser(token).get("whoami")
        assert code_of(response) == "token-expired"
        assert response.status_code == 401


def test_tokens_are_kept_as_digests_only(acme: Organisation) -> None:
    from knox.models import AuthToken

    made, token = AuthToken.objects.create(user=acme.owner)
    row = AuthToken.objects.get(pk=made.pk)
    assert token not in str(vars(row))
    assert token.startswith(row.token_key)
    assert len(row.token_key) == 15 < len(token)


def test_expired_tokens_are_forgotten_after_a_month(acme: Organisation) -> None:
    from datetime import timedelta

    from knox.models import AuthToken

    from tenants.tasks import forget_expired_tokens

    old, _ = AuthToken.objects.create(user=acme.owner, expiry=timedelta(days=-31))
    young, _ = AuthToken.objects.create(user=acme.owner, expiry=timedelta(days=-29))
    forget_expired_tokens()
    assert set(AuthToken.objects.filter(pk__in=[old.pk, young.pk])) == {young}
