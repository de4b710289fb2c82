"""Options that several commands share, written once: a class whose fields are options, as a command's parameter."""

import functools
import inspect
from collections.abc import Callable
from dataclasses import MISSING, Field, fields, is_dataclass
from typing import Any, get_type_hints


def spread(command: Callable[..., None]) -> Callable[..., None]:
    """The command as Typer is to see it: in place of a parameter of such a class, an option for each of its fields."""
    signature = inspect.signature(command, eval_str=True)
    groups: dict[str, Any] = {
        one.name: one.annotation for one in signature.parameters.values() if is_dataclass(one.annotation)
    }

    @functools.wraps(command)
    def run(**given: Any) -> None:
        for name, group in groups.items():
            given[name] = group(**{one.name: given.pop(one.name) for one in fields(group)})
        command(**given)

    shown: list[inspect.Parameter] = []
    for one in signature.parameters.values():
        shown += _options(groups[one.name]) if one.name in groups else [one]
    run.__signature__ = signature.replace(parameters=shown)  # type: ignore[attr-defined]
    run.__annotations__ = {one.name: one.annotation for one in shown} | {"return": None}
    return run


def _options(group: Any) -> list[inspect.Parameter]:
    annotations = get_type_hints(group, include_extras=True)

    def option(field: Field[Any]) -> inspect.Parameter:
        default = inspect.Parameter.empty if field.default is MISSING else field.default
        kind, annotation = inspect.Parameter.KEYWORD_ONLY, annotations[field.name]
        return inspect.Parameter(field.name, kind, default=default, annotation=annotation)

    return [option(field) for field in fields(group)]
