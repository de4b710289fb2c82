"""Which command may be given in which state and by whom: declared beside each handler, checked before any body runs."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import msgspec

from hsm.device import Device
from hsm.faults import log_fault
from strongroom.protocol.commands import Caller, Command, Reply, Request, refusal
from strongroom.protocol.errors import Refused
from strongroom.protocol.statements import DeviceState

ANY_STATE: tuple[DeviceState, ...] = ("blank", "manufactured", "sealed", "operational")
INITIALISED: tuple[DeviceState, ...] = ("sealed", "operational")
OPERATIONAL: tuple[DeviceState, ...] = ("operational",)
ANYONE: tuple[Caller, ...] = ("portal", "console")
PORTAL: tuple[Caller, ...] = ("portal",)
CONSOLE: tuple[Caller, ...] = ("console",)


@dataclass(frozen=True)
class Handler:
    """A command's declaration. `quorum`: it counts K officers of the class of the action that it is given."""

    command: type[Command]
    states: tuple[DeviceState, ...]
    callers: tuple[Caller, ...]
    quorum: bool
    run: Callable[[Device, Any], msgspec.Struct]


HANDLERS: dict[str, Handler] = {}


def handles(
    command: type[Command],
    *,
    states: tuple[DeviceState, ...],
    callers: tuple[Caller, ...],
    quorum: bool = False,
) -> Callable[[Callable[[Device, Any], msgspec.Struct]], Callable[[Device, Any], msgspec.Struct]]:
    """Declare the decorated function as the one handler of `command`."""

    def declare(run: Callable[[Device, Any], msgspec.Struct]) -> Callable[[Device, Any], msgspec.Struct]:
        if command.NAME in HANDLERS:
            raise RuntimeError(f"{command.NAME} has two handlers")
        HANDLERS[command.NAME] = Handler(command, states, callers, quorum, run)
        return run

    return declare


def dispatch(device: Device, caller: Caller, frame: bytes | memoryview) -> Reply:
    """Answer one frame of the administrative lane. A refusal is an answer too; anything else that fails is a defect.

    A defect is answered with `internal`: its transaction was rolled back, and whoever met it must not seal the device.
    """
    try:
        # 1. What is asked.
        try:
            request = msgspec.msgpack.decode(frame, type=Request)
            handler = HANDLERS[request.command]
            command = msgspec.msgpack.decode(request.body, type=handler.command)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, KeyError):
            raise Refused("malformed", "no such command, or not its body") from None
        # 2. Whether this caller may, in this state.
        if caller not in handler.callers:
            raise Refused("caller-refused")
        if device.state not in handler.states:
            raise Refused("hsm-sealed" if device.state == "sealed" else "hsm-wrong-state", device.state)
        # 3. The answer.
        return Reply(body=msgspec.Raw(msgspec.msgpack.encode(handler.run(device, command))))
    except Refused as error:
        return Reply(**refusal(error))
    except Exception:  # noqa: BLE001
        log_fault("a command")
        return Reply(**refusal(Refused("internal")))
