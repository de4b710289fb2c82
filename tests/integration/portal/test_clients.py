"""API clients and their tokens: GET, POST clients; DELETE clients/{id}; POST, DELETE …/tokens."""

from tests.support.pages import text, visitor
from tests.support.portal import Browser, Organisation, code_of


def test_alice_makes_a_client_and_its_token(acme: Organisation, fresh_name: str) -> None:
    alice = acme.as_owner()
    response = alice.post("clients", json={"name": fresh_name})
    assert response.status_code == 201
    client = response.json()
    assert client["id"].startswith("cl_")
    assert client["principal"] == f"client:{client['id']}"
    assert client["principal"] in client["next_step"]
    response = alice.post(f"clients/{client['id']}/tokens", json={"days": 7})
    assert response.headers["cache-control"] == "no-store"
    token = response.json()
    whoami = Browser(token["token"]).get("whoami").json()
    assert (whoami["name"], whoami["client_id"]) == (fresh_name, client["id"])
    assert token["token"].startswith(token["token_key"])
    # The token is never shown again.
    assert token["token"] not in alice.get("clients").text


def test_everyone_of_the_tenant_sees_its_clients_and_nobody_elses(acme: Organisation, globex: Organisation) -> None:
    for browser in (acme.as_owner(), acme.as_operator(), acme.as_auditor(), acme.as_client()):
        ids = [one["id"] for one in browser.get("clients").json()]
        assert acme.client_id in ids
        assert globex.client_id not in ids


def test_an_active_name_is_taken(acme: Organisation, fresh_name: str) -> None:
    alice = acme.as_owner()
    client = alice.post("clients", json={"name": fresh_name}).json()
    assert code_of(alice.post("clients", json={"name": fresh_name})) == "conflict"
    assert alice.delete(f"clients/{client['id']}").status_code == 204
    assert alice.post("clients", json={"name": fresh_name}).status_code == 201


def test_a_name_reads_as_it_is_written(acme: Organisation, fresh_name: str) -> None:
    turned = f"{fresh_name}\u202egnp"
    assert code_of(acme.as_owner().post("clients", json={"name": turned})) == "malformed"
    page = text(visitor(acme.owner).post("/clients/", name=turned))
    assert "Name: Leave out line breaks and characters that are not seen" in page


def test_a_removed_clients_tokens_are_refused(acme: Organisation, fresh_name: str) -> None:
    alice = acme.as_owner()
    client = alice.post("clients", json={"name": fresh_name}).json()
    browser = Browser(alice.post(f"clients/{client['id']}/tokens", json={}).json()["token"])
    assert browser.get("whoami").status_code == 200
    assert alice.delete(f"clients/{client['id']}").status_code == 204
    assert code_of(browser.get("whoami")) == "unauthenticated"
    assert client["id"] not in [one["id"] for one in alice.get("clients").json()]
    assert code_of(alice.post(f"clients/{client['id']}/tokens", json={})) == "not-found"


def test_one_token_is_ended_and_the_others_serve_on(acme: Organisation, fresh_name: str) -> None:
    alice = acme.as_owner()
    path = f"clients/{alice.post('clients', json={'name': fresh_name}).json()['id']}/tokens"
    first, second = (alice.post(path, json={}).json() for _ in range(2))
    assert alice.delete(f"{path}/{first['token_key']}").status_code == 204
    assert code_of(Browser(first["token"]).get("whoami")) == "unauthenticated"
    assert Browser(second["token"]).get("whoami").status_code == 200
    assert code_of(alice.delete(f"{path}/{first['token_key']}")) == "not-found"


def test_charlie_reaches_nothing_of_acme(acme: Organisation, globex: Organisation) -> None:
    charlie = globex.as_owner()
    answers = [
        charlie.delete(f"clients/{acme.client_id}"),
        charlie.post(f"clients/{acme.client_id}/tokens", json={}),
        charlie.delete(f"clients/{acme.client_id}/tokens/{acme.client_token[:15]}"),
        charlie.delete("clients/cl_unknown"),
    ]
    assert {code_of(answer) for answer in answers} == {"not-found"}
    assert len({answer.content for answer in answers}) == 1
    assert acme.as_client().get("whoami").status_code == 200


def test_a_tokens_days_have_bounds(acme: Organisation) -> None:
    for days in (0, 366, "many"):
        response = acme.as_owner().post(f"clients/{acme.client_id}/tokens", json={"days": days})
        assert code_of(response) == "malformed"
        assert "days" in response.json()["detail"]
