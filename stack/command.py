"""What `python -m stack` understands: `up`, `down`, `demo`, and the steps of starting."""

import argparse
import os
import sys
from pathlib import Path

from stack import lifecycle
from stack.layout import PROJECT, StackError, State
from stack.narration import say
from strongroom.protocol.errors import Refused


def main() -> int:
    arguments = _parser().parse_args()
    state = State(Path(arguments.state).resolve())
    try:
        if os.environ.get("STRONGROOM_ENV") == "production":
            raise StackError("This is a development stack, and STRONGROOM_ENV is production. See the README.")
        if not 0 <= (getattr(arguments, "port", None) or 0) <= 65535:
            raise StackError(f"{arguments.port} is no port. Choose one up to 65535 with --port (0: any free one).")
        match arguments.command:
            case "up" if arguments.detach:
                lifecycle.start(state, port=arguments.port, log=True)
                say(f"ready; {state.access_file} says where, and how to log in")
            case "up":
                lifecycle.up(state, port=arguments.port, ready_fd=arguments.ready_fd)
            case "down":
                lifecycle.down(state)
            case "demo":
                from stack.story import demo  # noqa: PLC0415 (the story needs the whole client, `up` does not)

                demo(state, port=arguments.port, leave=arguments.exit)
            case "step":
                from stack.steps import STEPS  # noqa: PLC0415 (as above)

                STEPS[arguments.name](state)
    except (StackError, Refused) as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="stack", description="Run a development installation of Strongroom.")
    commands = parser.add_subparsers(dest="command", required=True)
    for name, help_ in (
        ("up", "start everything and keep it running"),
        ("down", "stop what `up` or `demo` started"),
        ("demo", "start everything and tell the story of a key"),
        ("step", "one step of starting (internal)"),
    ):
        command = commands.add_parser(name, help=help_)
        command.add_argument("--state", default=str(PROJECT / "var"), help="folder that keeps everything (var/)")
        if name in ("up", "demo"):
            command.add_argument("--port", type=int, help="the portal's port (8000, or any free one; 0: any free one)")
        if name == "up":
            command.add_argument("--detach", action="store_true", help="return when everything is ready")
            command.add_argument("--ready-fd", type=int, help=argparse.SUPPRESS)
        elif name == "demo":
            command.add_argument("--exit", action="store_true", help="stop everything after the story")
        elif name == "step":
            command.add_argument("name")
    return parser
