"""What is in an evidence file without a signature that bears it out is refused, or not shown."""

import json
from typing import Any

import msgspec
import pytest
from authorities import PARTITION
from simulator import Simulator
from test_import_and_receipt import PEM, bring_in, signing_terms
from test_third_party_validators import trust_in

from strongroom.client import imports, proof, proof_steps
from strongroom.client.connection import Connection
from strongroom.client.home import Home
from strongroom.client.material import read_material
from strongroom.client.proof_steps import Case, Proof
from strongroom.client.routes import Route
from strongroom.protocol.errors import Refused


@pytest.fixture
def saved(listed: Connection, home: Home, provider: Simulator, now: int) -> Proof:
    """Evidence of Alice's key, for which a third party vouched; another that she knows by now did not."""
    trust_in(home, provider, "watcher")
    bring_in(listed, now)
    trust_in(home, provider, "archive")
    provider.record("admin", "key:import")
    for _ in range(2):
        provider.record("1", "key:sign")
    return proof.save(listed, "signer", now)


def case_of(saved: Proof, home: Home, provider: Simulator) -> Case:
    """As far as the steps about quorum and owners bring it."""
    case = Case(saved, home.manufacturer_roots())
    case.owner, case.access = home.credential("owner"), provider.document or ""
    return case


def with_dossier(saved: Proof, **fields: Any) -> Proof:
    return msgspec.structs.replace(saved, dossier=msgspec.structs.replace(saved.dossier, **fields))


def test_only_those_who_signed_are_named(saved: Proof, home: Home, provider: Simulator) -> None:
    case = case_of(saved, home, provider)
    proof_steps._check_dossier(case)
    assert set(case.anchors) == {"provider", "watcher"}


@pytest.mark.parametrize("route", [Route("engine"), Route(suite="RSA-AES-KWP")])
def test_every_route_has_evidence_that_holds(
    listed: Connection, home: Home, provider: Simulator, now: int, route: Route
) -> None:
    material = read_material(PEM)
    imports.import_key(listed, material, "signer", signing_terms(material), now, route=route)
    provider.record("admin", "key:import")
    content = msgspec.json.encode(proof.save(listed, "signer", now))
    case = case_of(proof.read(content), home, provider)
    assert "vendor-key in-force" in proof_steps._check_dossier(case)
    assert set(case.anchors) == {"provider"}


def test_a_key_of_a_validator_who_signed_nothing_is_refused(saved: Proof, home: Home, provider: Simulator) -> None:
    added = msgspec.structs.replace(
        saved, third_parties=saved.third_parties | {"archive": saved.third_parties["watcher"]}
    )
    case = case_of(added, home, provider)
    with pytest.raises(Refused, match="'archive', who signed nothing"):
        proof_steps._check_dossier(case)
    assert not case.anchors


def test_an_answer_that_is_there_twice_or_about_nothing_is_refused(
    saved: Proof, home: Home, provider: Simulator
) -> None:
    answers = saved.dossier.answers
    twice = with_dossier(saved, answers=[*answers, answers[0]])
    with pytest.raises(Refused, match="answers twice"):
        proof_steps._check_dossier(case_of(twice, home, provider))
    strange = msgspec.structs.replace(answers[0], who="manufacturer", subject="provider-key")
    with pytest.raises(Refused, match="cannot know of"):
        proof_steps._check_dossier(case_of(with_dossier(saved, answers=[*answers, strange]), home, provider))


def test_what_the_route_has_no_use_for_is_refused(saved: Proof, home: Home, provider: Simulator) -> None:
    with pytest.raises(Refused, match="import id in the saved trust is nobody's"):
        proof_steps._check_dossier(case_of(with_dossier(saved, import_id="imp_other"), home, provider))


def test_a_lane_is_left_out_only_where_the_file_says_so(
    saved: Proof, listed: Connection, home: Home, provider: Simulator, now: int
) -> None:
    cut = msgspec.structs.replace(saved, lanes={"admin": saved.lanes["admin"]})
    with pytest.raises(Refused, match="lane 1 is missing"):
        proof_steps._check_log(case_of(cut, home, provider))
    with pytest.raises(Refused, match="administrative lane only"):
        proof_steps._check_log(case_of(msgspec.structs.replace(saved, only_admin=True), home, provider))
    case = case_of(proof.save(listed, "signer", now, only_admin=True), home, provider)
    proof_steps._check_log(case)
    assert case.left_out == ["1"]
    assert "operations were left out" in proof_steps._check_since(case)


def test_operations_are_counted_for_the_key_and_not_for_a_version(
    saved: Proof, home: Home, provider: Simulator
) -> None:
    case = case_of(saved, home, provider)
    assert "left out" not in proof_steps._check_log(case).removesuffix("; nothing is left out")
    assert "0 operations with the key, all its versions together" in proof_steps._check_since(case)


def test_a_file_is_read_only_as_it_was_saved(saved: Proof) -> None:
    content = msgspec.json.encode(saved)
    assert proof.read(content + b"\n") == saved
    said = json.loads(content)
    changes: list[dict[str, Any]] = [
        said | {"v": 2},
        said | {"saved_at": 1},
        {name: one for name, one in said.items() if name != "v"},
        said | {"dossier": said["dossier"] | {"note": "more"}},
        said | {"dossier": said["dossier"] | {"access": said["dossier"]["access"] | {"note": "more"}}},
        said | {"dossier": {name: one for name, one in said["dossier"].items() if name != "engine_key"}},
    ]
    for changed in changes:
        with pytest.raises(Refused, match="statement-malformed"):
            proof.read(json.dumps(changed, separators=(",", ":")).encode())
    with pytest.raises(Refused, match="unknown or twice"):
        proof.read(content.replace(b'{"v":1,', b'{"v":1,"v":1,', 1))
    assert saved.dossier.partition == PARTITION
