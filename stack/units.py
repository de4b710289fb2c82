"""What a supervisor starts: services, which run on, and steps, which come to an end."""

from collections.abc import Callable
from dataclasses import dataclass, field
from signal import SIGTERM, Signals


@dataclass(frozen=True)
class Unit:
    """One command, started when everything in `needs` is up.

    With `ready` it is a service: up when that says so, and started again if it dies. Without, it is a step: up when
    the command has ended well, and tried again if it has not. A step that `follows` a service is repeated each
    time that the service has been started again.
    """

    name: str
    command: list[str]
    environment: dict[str, str]
    needs: tuple[str, ...] = ()
    ready: Callable[[], bool] | None = None
    follows: str = ""
    user: str | None = None
    stop_signal: Signals = SIGTERM
    narrates: bool = field(default=False)
    """Its standard output is for the person who started the stack, not for the log."""
