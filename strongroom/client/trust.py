"""Validation before encryption: nothing is sealed to a key before everyone who can know of it agreed."""

from collections.abc import Generator
from contextlib import contextmanager

import msgspec

from strongroom.client import validators
from strongroom.client.connection import Connection
from strongroom.client.dossier import (
    MANUFACTURER,
    PROVIDER,
    THIRD_PARTY,
    Answer,
    Dossier,
    EngineKey,
    Evidence,
    judge,
    knows,
)
from strongroom.client.evidence import Subject, new_nonce
from strongroom.client.http import Service, segment
from strongroom.client.in_force import AccessAnswer
from strongroom.client.routes import Route
from strongroom.protocol import jws
from strongroom.protocol.certificates import from_x5c, profile_of
from strongroom.protocol.encoding import make_id
from strongroom.protocol.errors import Refused
from strongroom.protocol.statements import Attestation, Endorsement


class PublishedDevice(msgspec.Struct, frozen=True, kw_only=True):
    """A device and the endorsements of its wrapping keys, as the portal publishes them: not believed unchecked."""

    device: str
    vendor_keys: list[str]
    provider_keys: list[str]


class Published(msgspec.Struct, frozen=True, kw_only=True):
    """GET /trust, as far as it is used."""

    devices: list[PublishedDevice]
    engine_keys: list[EngineKey] = []


class _StatementAnswer(msgspec.Struct, frozen=True):
    statement: str


class _EndorsementAnswer(msgspec.Struct, frozen=True):
    endorsement: str


class _AttestationAnswer(msgspec.Struct, frozen=True):
    attestation: str


def validate(connection: Connection, now: int, partition: str = "", route: Route | None = None) -> Evidence:
    """Ask everyone who can know about the keys, each over a fresh nonce; return the evidence if all agree.

    With `partition`, the device that holds it must attest that its owner is this folder's owner and that the access
    list in force is the one that the owner signed. Raises `Refused`: what `judge` does; `suite-unsupported` where the
    provider does not offer the route; `transport-insecure`; `unavailable`; `configuration`.
    """
    route = route or Route()
    # 1. What may be asked for at all, and of whom.
    route.check(connection.home.config().url)
    trusted = validators.anchors(connection.home, partition, route.validators)
    # 2. Everything that is said.
    dossier = _gather(connection, route, partition, trusted.required, now)
    # 3. Whether it holds together, judged against nothing but our own anchors.
    with nothing_sealed():
        evidence = judge(dossier, route, trusted, now)
    if dossier.access and dossier.access.document:
        connection.home.keep("access", partition, dossier.access.document)
    return evidence


def _gather(connection: Connection, route: Route, partition: str, required: tuple[str, ...], now: int) -> Dossier:
    """Ask the portal and every validator. What is read here unverified only chooses what to ask for."""
    # 1. The partition's access list and attestation.
    access_answer = attestation = None
    nonce = new_nonce()
    if partition:
        path = f"partitions/{segment(partition)}"
        answer = connection.portal.get(f"{path}/access", AccessAnswer)
        # Who the owners are is what the signed list says, and not the portal.
        access_answer = AccessAnswer(version=answer.version, document=answer.document)
        attestation = connection.portal.post(f"{path}/attestation", {"nonce": nonce}, _AttestationAnswer).attestation
    # 2. The keys of this route.
    published = connection.portal.get("trust", Published)
    device = _choose(published, attestation)
    attested = jws.read_unverified(attestation, Attestation) if attestation else None
    import_id = ""
    if route.single_use:
        import_id = make_id("imp_")
        vendor = _single_use_key(connection, partition, import_id)
    else:
        vendor = _offered(device.vendor_keys, attested.vendor_keys if attested else None, "vendor key", route)
    provider, engine = "", None
    if route.transport == "tee":
        provider = _offered(device.provider_keys, attested.provider_keys if attested else None, "provider key", route)
    elif route.transport == "engine":
        engine = _engine_key(published, route)
    # 3. Everyone who must vouch.
    subjects: dict[Subject, str] = {"vendor-key": jws.read_unverified(vendor, Endorsement).key_id}
    if provider or engine:
        subjects["provider-key"] = engine.key_id if engine else jws.read_unverified(provider, Endorsement).key_id
    answers = [
        _named(connection, who, subject, key_id, vendor)
        for who in required
        for subject, key_id in subjects.items()
        if knows(who, subject)
    ]
    return Dossier(
        saved_at=now,
        transport=route.transport,
        suite=route.suite,
        partition=partition,
        import_id=import_id,
        access=access_answer,
        attestation_nonce=nonce if attestation else "",
        attestation=attestation or "",
        vendor_key=vendor,
        provider_key=provider,
        engine_key=engine,
        answers=answers,
    )


def _choose(published: Published, attestation: str | None) -> PublishedDevice:
    wanted = jws.read_unverified(attestation, Attestation).device if attestation else None
    for one in published.devices:
        if wanted in (None, one.device):
            return one
    raise Refused("validation-failed", "the provider publishes no keys of the device")


def _offered(tokens: list[str], in_force: list[str] | None, what: str, route: Route) -> str:
    """The endorsement of the key of this suite that the device has in force."""
    of_suite = [token for token in tokens if jws.read_unverified(token, Endorsement).suite == route.suite]
    if not of_suite:
        raise Refused("suite-unsupported", f"the provider offers no {what} of suite {route.suite}")
    for token in of_suite:
        if in_force is None or jws.read_unverified(token, Endorsement).key_id in in_force:
            return token
    raise Refused("validation-failed", f"the provider publishes no {what} that its device has in force")


def _engine_key(published: Published, route: Route) -> EngineKey:
    of_suite = [one for one in published.engine_keys if one.suite == route.suite]
    if not of_suite:
        raise Refused("suite-unsupported", f"the provider's engine offers no key of suite {route.suite}")
    return next((one for one in of_suite if one.status == "in-force"), of_suite[0])


def _single_use_key(connection: Connection, partition: str, import_id: str) -> str:
    """Have the device make a vendor key for this import, and the manufacturer list it."""
    if not partition:
        raise Refused("configuration", "a single-use key is made for a partition: strongroom partition use ID")
    body = {"import_id": import_id, "owner": connection.home.credential("owner").fingerprint}
    path = f"partitions/{segment(partition)}/single-use-keys"
    endorsement = connection.portal.post(path, body, _EndorsementAnswer).endorsement
    with connection.manufacturer() as manufacturer:
        manufacturer.post("/v1/vendor-keys", {"endorsement": endorsement}, object)
    return endorsement


@contextmanager
def nothing_sealed(who: str = "") -> Generator[None, None, None]:
    """A refusal in here names `who` refused, if anyone, and says what did not happen then."""
    try:
        yield
    except Refused as refusal:
        said = f"{who}: " * bool(who) + (refusal.detail or refusal.problem.sentence.rstrip("."))
        raise Refused(refusal.code, f"{said}; nothing was encrypted or sent on the strength of it") from None


def _named(connection: Connection, who: str, subject: Subject, key_id: str, vendor: str) -> Answer:
    with nothing_sealed(who):
        return _ask(connection, who, subject, key_id, vendor)


def _ask(connection: Connection, who: str, subject: Subject, key_id: str, vendor: str) -> Answer:
    nonce = new_nonce()
    question = {"nonce": nonce, "subject": subject, "key_id": key_id}
    if who == MANUFACTURER:
        with connection.manufacturer() as manufacturer:
            statement = _post(manufacturer, "/v1/validation", question | {"mode": _mode(vendor)})
    elif who == PROVIDER:
        statement = _post(connection.portal, "validation", {"nonce": nonce, "key_id": key_id})
    else:
        with connection.third_party(validators.third_parties(connection.home)[who.removeprefix(THIRD_PARTY)]) as one:
            statement = _post(one, "/v1/validation", question)
    return Answer(who=who, subject=subject, nonce=nonce, statement=statement)


def _post(service: Service, path: str, question: dict[str, str]) -> str:
    return service.post(path, question, _StatementAnswer).statement


def _mode(endorsement: str) -> str:
    """Under which hierarchy the device says it is, so that the manufacturer answers under the same."""
    return profile_of(from_x5c(jws.read_header(endorsement).get("x5c"))[0]).mode
