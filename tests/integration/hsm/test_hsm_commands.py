"""Every command × state × caller: refused before its body runs, unless it is declared for both."""

import re
from collections.abc import Callable, Iterator

import msgspec
import pytest

from hsm import server
from hsm.actions import DOES
from hsm.dispatch import HANDLERS
from strongroom.protocol import commands as c
from strongroom.protocol.action_table import ACTIONS
from strongroom.protocol.errors import Refused
from strongroom.protocol.operations import OperationRequest
from tests.support.sealed import ROOT, SealedDevice

STATES = ("blank", "manufactured", "sealed", "operational")
CALLERS = ("portal", "console")
INITIALISED, OPERATIONAL = ("sealed", "operational"), ("operational",)
LONG = "n" * 16
SPECIFICATION = ROOT / "docs/spec/protocol.md"
NOT_NOW = {"hsm-sealed", "hsm-wrong-state"}

Declared = tuple[c.Command, tuple[str, ...], tuple[str, ...]]

# What the design allows, written down a second time on purpose: (command, states, callers).
ALLOWED: list[Declared] = [
    (c.Status(), STATES, CALLERS),
    (c.MakeIdentity(), ("blank",), ("console",)),
    (c.InstallCertificate(certificate="", root=""), ("blank",), ("console",)),
    (c.Initialise(officers=[], thresholds={}), ("manufactured", "sealed"), ("console",)),
    (c.BeginUnseal(nonce=LONG), ("sealed",), CALLERS),
    (c.GiveUnsealPart(key_id="", card="", part=b""), ("sealed",), CALLERS),
    (c.PublishKeys(), OPERATIONAL, CALLERS),
    (c.Attest(nonce=LONG), INITIALISED, ("portal",)),
    (c.OpenAction(request=""), OPERATIONAL, ("portal",)),
    (c.ExecuteAction(action=b"", approvals=[]), OPERATIONAL, ("portal",)),
    (c.ListOfficers(), OPERATIONAL, ("portal",)),
    (c.WithdrawAction(withdrawal=""), OPERATIONAL, ("portal",)),
    (c.ListUnsealParts(), INITIALISED, CALLERS),
    (c.ShowPartition(partition="none"), OPERATIONAL, ("portal",)),
    (c.KeepPartitionOrder(partition="none", order=""), OPERATIONAL, ("portal",)),
    (c.ShowAccess(partition="none"), OPERATIONAL, ("portal",)),
    (c.UpdateAccess(partition="none", document=""), OPERATIONAL, ("portal",)),
    (c.ImportKey(partition="none", tenant="", header="", material=b"", terms=b""), OPERATIONAL, ("portal",)),
    (c.FindImport(partition="none", import_id=""), OPERATIONAL, ("portal",)),
    (c.ListKeys(partition="none"), OPERATIONAL, ("portal",)),
    (c.MakeSingleUseKey(partition="none", import_id="", owner=""), OPERATIONAL, ("portal",)),
    (c.OrderKey(partition="none", order=""), OPERATIONAL, ("portal",)),
    (c.MakeRandom(partition="none", principal="", length=1), OPERATIONAL, ("portal",)),
    (c.MakeCheckpoint(partition="none", nonce=LONG), OPERATIONAL, ("portal",)),
    (c.ReadLane(lane="admin"), OPERATIONAL, ("portal",)),
    (c.ListLanes(), OPERATIONAL, ("portal",)),
    (c.RevocationStatus(partition="none", key="none"), OPERATIONAL, ("portal",)),
    (c.CheckNow(partition="none", keys=["none"]), OPERATIONAL, ("portal",)),
    (c.SessionRequest(), OPERATIONAL, ("portal",)),
]


@pytest.fixture(scope="module")
def devices(make_device: Callable[..., SealedDevice]) -> Iterator[dict[str, SealedDevice]]:
    """A device in each state."""
    found = {state: make_device(workers=1) for state in STATES}
    for state, device in found.items():
        device.start()
        if state != "blank":
            device.manufacture()
        if state in INITIALISED:
            device.ceremony()
        if state == "operational":
            device.unseal()
        assert device.status().state == state
    return found


def ask(device: SealedDevice, caller: str, command: c.Command) -> str:
    """The refusal's code, or `ok`."""
    try:
        device.line(caller=caller).call(command, msgspec.Raw)
    except Refused as error:
        return error.code
    return "ok"


def test_the_table_is_whole() -> None:
    assert server.Server
    declared = {name: (set(handler.states), set(handler.callers)) for name, handler in HANDLERS.items()}
    assert {one.NAME: (set(states), set(callers)) for one, states, callers in ALLOWED} == declared


def test_the_specification_has_the_same_table() -> None:
    row = re.compile(r"^\| `([a-z.-]+)` \| ([a-z, ]+) \| ((?:portal|console|, )+) \|$", re.MULTILINE)
    written = {
        name: (set(STATES) if states == "any" else set(states.split(", ")), set(callers.split(", ")))
        for name, states, callers in row.findall(SPECIFICATION.read_text())
    }
    assert written == {one.NAME: (set(states), set(callers)) for one, states, callers in ALLOWED}


def test_only_carrying_an_action_out_needs_a_quorum_and_no_command_changes_an_access_list_by_one() -> None:
    assert [name for name, handler in HANDLERS.items() if handler.quorum] == ["action.execute"]
    # Which class must approve is the action's own; no action is about what is the owner's alone.
    assert {name: kind.officer_class for name, kind in ACTIONS.items()} == {
        "partition.define": "partition",
        "partition.destroy": "partition",
        "partition.keep": "partition",
        "officers.change": "domain",
        "device.seal": "security",
        "vendor-key.rotate": "security",
        "provider-key.rotate": "security",
        "provider-key.retire": "security",
        "limits.update": "security",
        "revocation.set-bounds": "security",
    }
    # The table is whole: each row has its body's own name, and the device does exactly these.
    assert [kind.body.__struct_config__.tag for kind in ACTIONS.values()] == list(ACTIONS)
    assert set(DOES) == {kind.body for kind in ACTIONS.values()}
    members = {name for kind in ACTIONS.values() for name in kind.body.__struct_fields__}
    assert not members & {"access", "principals", "rights", "document", "export", "material"}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("caller", CALLERS)
@pytest.mark.parametrize("allowed", ALLOWED, ids=[one.NAME for one, _, _ in ALLOWED])
def test_each_command_is_refused_outside_its_states_and_callers(
    devices: dict[str, SealedDevice],
    allowed: tuple[c.Command, tuple[str, ...], tuple[str, ...]],
    caller: str,
    state: str,
) -> None:
    device, (command, states, callers) = devices[state], allowed
    code = ask(device, caller, command)
    if caller not in callers:
        assert code == "caller-refused"
    elif state not in states:
        assert code == ("hsm-sealed" if state == "sealed" else "hsm-wrong-state")
    elif (command.NAME, state) == ("ceremony.initialise", "sealed"):
        assert code == "hsm-wrong-state"  # its own word: the device has officers already
    else:
        assert code not in NOT_NOW | {"caller-refused", "internal", "malformed"} or command.NAME == "attest", code
    assert device.status().state == state


@pytest.mark.parametrize("state", STATES)
def test_operations_are_answered_by_an_operational_device_alone(devices: dict[str, SealedDevice], state: str) -> None:
    request = OperationRequest("client:x", "none", "k", 0, "sign", "", b"")
    code = devices[state].line("operations").operate(request).code
    assert code == {"operational": "not-found", "sealed": "hsm-sealed"}.get(state, "hsm-wrong-state")


@pytest.mark.parametrize("state", STATES)
def test_operations_are_the_portals_and_not_the_consoles(devices: dict[str, SealedDevice], state: str) -> None:
    with pytest.raises(Refused, match="caller-refused"):
        devices[state].line("operations", "console")


def test_operations_begun_on_a_sealed_device_go_on_once_unsealed(
    make_device: Callable[..., SealedDevice],
) -> None:
    device = make_device()
    device.start()
    device.manufacture()
    device.ceremony()
    request = OperationRequest("client:x", "none", "k", 0, "sign", "", b"")
    waiting = device.line("operations")
    assert waiting.operate(request).code == "hsm-sealed"
    device.unseal()
    assert waiting.operate(request).code == "not-found"
