"""A device's way from blank to sealed: identity, certificate, ceremony."""

from collections.abc import Callable

import msgspec
import pytest

from strongroom.protocol import commands as c
from strongroom.protocol.certificates import verify_statement
from strongroom.protocol.sealing import RecipientPrivateKey
from strongroom.protocol.statements import CeremonyTranscript
from tests.support.hardware import Card, Factory
from tests.support.refusals import refused
from tests.support.sealed import SealedDevice, now


@pytest.fixture
def blank(make_device: Callable[..., SealedDevice]) -> SealedDevice:
    device = make_device(workers=1)
    device.start()
    return device


@pytest.fixture
def manufactured(blank: SealedDevice) -> SealedDevice:
    blank.manufacture()
    return blank


def csr_of(device: SealedDevice) -> str:
    return device.console().call(c.MakeIdentity(), c.MakeIdentityReply).csr


def install(device: SealedDevice, certificate: str, root: str) -> None:
    device.console().call(c.InstallCertificate(certificate=certificate, root=root), c.Done)


def initialise(device: SealedDevice, command: c.Initialise) -> c.InitialiseReply:
    return device.console().call(command, c.InitialiseReply)


def test_the_same_identity_is_shown_again_also_after_a_kill(blank: SealedDevice) -> None:
    first = csr_of(blank)
    assert csr_of(blank) == first
    blank.kill()
    blank.start()
    assert csr_of(blank) == first


def test_another_devices_certificate_is_refused(blank: SealedDevice, make_device: Callable[..., SealedDevice]) -> None:
    other = make_device(workers=1)
    other.start()
    csr_of(blank)
    with refused("certificate-invalid"):
        install(blank, blank.factory.certify(csr_of(other)), blank.factory.root_pem)
    assert blank.status().state == "blank"


def test_a_certificate_of_another_root_is_refused(blank: SealedDevice) -> None:
    with refused("certificate-invalid"):
        install(blank, blank.factory.certify(csr_of(blank)), Factory().root_pem)


def test_a_certificate_for_another_role_is_refused(blank: SealedDevice) -> None:
    with refused("certificate-invalid"):
        install(blank, blank.factory.certify(csr_of(blank), "statement"), blank.factory.root_pem)


def test_a_certificate_before_there_is_an_identity_is_refused(blank: SealedDevice) -> None:
    with refused("hsm-wrong-state"):
        install(blank, blank.factory.root_pem, blank.factory.root_pem)


def test_the_mode_is_what_the_certificate_says(make_device: Callable[..., SealedDevice]) -> None:
    for mode in ("development", "production"):
        device = make_device(workers=1, mode=mode)
        device.start()
        device.manufacture()
        assert device.status().mode == mode
        assert (b"DEVELOPMENT device" in restarted_log(device)) == (mode == "development")


def restarted_log(device: SealedDevice) -> bytes:
    device.stop()
    device.log.unlink()
    device.start()
    return device.log.read_bytes()


def test_a_development_device_does_not_start_where_the_environment_is_production(manufactured: SealedDevice) -> None:
    manufactured.stop()
    manufactured.popen = {"env": {"STRONGROOM_ENV": "production"}}
    with pytest.raises(TimeoutError, match="a development device is refused"):
        manufactured.start()


def test_the_ceremony_asked_again_gives_the_same_also_after_a_kill(manufactured: SealedDevice) -> None:
    first = manufactured.ceremony()
    assert manufactured.ceremony() == first
    manufactured.kill()
    manufactured.start()
    assert manufactured.ceremony() == first
    manufactured.unseal()
    assert manufactured.status().world == first.world


def test_another_ceremony_is_refused(manufactured: SealedDevice) -> None:
    manufactured.ceremony()
    manufactured.cards[0] = Card("mallory", "domain")
    with refused("hsm-wrong-state"):
        manufactured.ceremony()


def test_after_the_first_unsealing_the_parts_are_not_given_out_again(manufactured: SealedDevice) -> None:
    manufactured.ceremony()
    manufactured.unseal()
    manufactured.stop()
    manufactured.start()
    with refused("hsm-wrong-state"):
        manufactured.ceremony()


def test_the_transcript_names_what_was_made(manufactured: SealedDevice) -> None:
    reply = manufactured.ceremony()
    says, certified = verify_statement(
        reply.transcript, CeremonyTranscript, [manufactured.factory.root], "device", now()
    )
    assert (says.world, says.device, says.mode) == (reply.world, certified.device_id, "development")
    assert says.officers == {card.fingerprint: card.officer_class for card in manufactured.cards}
    assert says.thresholds == {"domain": 2, "security": 2, "partition": 2}


def test_only_security_officers_get_parts(manufactured: SealedDevice) -> None:
    reply = manufactured.ceremony()
    assert set(reply.parts) == {card.fingerprint for card in manufactured.of("security")}


@pytest.mark.parametrize("officer_class", ["domain", "security", "partition"])
@pytest.mark.parametrize("threshold", [0, -1, 4])
def test_thresholds_that_no_quorum_can_meet_or_must_are_refused(
    manufactured: SealedDevice, officer_class: str, threshold: int
) -> None:
    with refused("quorum-rule-refused"):
        manufactured.ceremony(**{officer_class: threshold})
    assert manufactured.status().state == "manufactured"


def test_one_officer_suffices_on_a_development_device(manufactured: SealedDevice) -> None:
    manufactured.ceremony(security=1)
    manufactured.give_part(manufactured.of("security")[0])
    assert manufactured.status().state == "operational"


@pytest.mark.parametrize("officer_class", ["domain", "security", "partition"])
def test_one_officer_never_suffices_on_a_production_device(
    make_device: Callable[..., SealedDevice], officer_class: str
) -> None:
    device = make_device(workers=1, mode="production")
    device.start()
    device.manufacture()
    with refused("quorum-rule-refused"):
        device.ceremony(**{officer_class: 1})
    device.ceremony()


def test_two_cards_of_one_officer_do_not_raise_the_number_of_officers(manufactured: SealedDevice) -> None:
    manufactured.cards = [*manufactured.of("domain"), *manufactured.of("partition")]
    manufactured.cards += [Card("sam", "security"), Card("sam", "security")]
    with refused("quorum-rule-refused"):
        manufactured.ceremony()


def test_a_card_enrolled_twice_is_refused(manufactured: SealedDevice) -> None:
    twin = manufactured.cards[0]
    manufactured.cards.append(Card("other", "security", signing=twin.signing))
    with refused("quorum-rule-refused"):
        manufactured.ceremony()


def test_a_class_without_a_threshold_is_refused(manufactured: SealedDevice) -> None:
    command = msgspec.structs.replace(manufactured.initialise(), thresholds={"domain": 2, "security": 2})
    with refused("quorum-rule-refused"):
        initialise(manufactured, command)


@pytest.mark.parametrize("sealing_key", ["", "AAAA", "A" * 1621, RecipientPrivateKey.generate().public().text[:-43]])
def test_a_card_without_a_usable_sealing_key_is_refused(manufactured: SealedDevice, sealing_key: str) -> None:
    command = manufactured.initialise()
    spoilt = msgspec.structs.replace(command.officers[3], sealing_key=sealing_key)
    officers = [*command.officers[:3], spoilt, *command.officers[4:]]
    with refused("malformed"):
        initialise(manufactured, msgspec.structs.replace(command, officers=officers))
    assert manufactured.status().state == "manufactured"


def test_a_sealing_key_whose_point_is_of_small_order_is_refused(manufactured: SealedDevice) -> None:
    command = manufactured.initialise()
    public = RecipientPrivateKey.generate().public()
    weak = type(public)(public.raw[:-32] + bytes(32)).text
    officers = [msgspec.structs.replace(one, sealing_key=weak) for one in command.officers]
    with refused("malformed"):
        initialise(manufactured, msgspec.structs.replace(command, officers=officers))
    assert manufactured.status().state == "manufactured"


def test_an_officer_whose_credential_is_no_key_is_refused(manufactured: SealedDevice) -> None:
    body = msgspec.msgpack.decode(msgspec.msgpack.encode(manufactured.initialise()))
    body["officers"][0]["credential"]["x"] = "!" * 43
    line = manufactured.console()
    request = c.Request(c.Initialise.NAME, msgspec.Raw(msgspec.msgpack.encode(body)))
    line.send(msgspec.msgpack.encode(request))
    with refused("malformed"):
        line.receive(c.InitialiseReply)


def test_more_sets_of_cards_than_can_be_wrapped_are_refused(manufactured: SealedDevice) -> None:
    manufactured.cards += [Card(f"more{n}", "security") for n in range(20)]
    with refused("quorum-rule-refused"):
        manufactured.ceremony(security=11)
