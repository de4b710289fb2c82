"""The work that waits or has failed, as the provider's people see it: whose and why, and nothing of what is in it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Count, Model, QuerySet
from django.utils import timezone
from kombu.exceptions import ChannelError, OperationalError

from portal.callbacks.models import Delivery
from portal.celery import app
from portal.jobs.models import Job, Operation
from portal.quorum.selectors import ALIAS
from tee.models import Import

SHOWN = 50
OF_LATE = timedelta(days=7)
_PATIENCE = {"socket_timeout": 2, "socket_connect_timeout": 2}
"""Of Redis or Valkey as broker, in seconds; an AMQP broker has its heartbeat."""


@dataclass(frozen=True)
class Queue:
    """A queue of the broker's, and how many tasks wait in it."""

    name: str
    waiting: int


@dataclass(frozen=True)
class Failure:
    """What has failed, of which tenant, with the code that it is refused or given up by; `at`: when that was known."""

    kind: str
    id: str
    tenant: str
    code: str
    at: datetime | None


@dataclass(frozen=True)
class Broker:
    """What the broker has, and the workers that answer through it within a second, by name."""

    queues: list[Queue]
    workers: list[str]


def broker() -> Broker | None:
    """None where the broker does not answer, or says nothing: a page never waits for it for long."""
    names = {app.conf.task_default_queue, *(one["queue"] for one in settings.CELERY_TASK_ROUTES.values())}
    connection = app.connection_for_read(connect_timeout=2, transport_options=_PATIENCE)
    away = (OperationalError, OSError, *connection.connection_errors, *connection.channel_errors)
    try:
        with connection:
            connection.ensure_connection(max_retries=1, timeout=2)
            queues = [Queue(name, _waiting(connection.default_channel, name)) for name in sorted(names)]
            answers = app.control.inspect(timeout=1, connection=connection).ping() or {}
            return Broker(queues, sorted(answers))
    except away:
        return None


def counts() -> list[tuple[str, list[tuple[str, int]]]]:
    """By kind of work how much of it there is in each status."""
    return [(kind, _by_status(model)) for kind, (model, *_) in _KINDS.items()]


def failures() -> list[Failure]:
    """What has failed within a week, newest first; of each kind at most `SHOWN`."""
    since = timezone.now() - OF_LATE
    found = []
    for kind, (model, name, failed, code, when) in _KINDS.items():
        rows = model._default_manager.using(ALIAS).filter(status=failed, **{f"{when}__gte": since})
        seen = rows.order_by(f"-{when}").values_list(name, "tenant__slug", code, when)[:SHOWN]
        found += [Failure(kind, *row) for row in seen]
    return sorted(found, key=lambda one: one.at or since, reverse=True)


_KINDS: dict[str, tuple[type[Model], str, str, str, str]] = {
    "import": (Import, "import_id", Import.Status.FAILED, "code", "settled"),
    "asynchronous operation": (Operation, "operation_id", Operation.Status.FAILED, "error_code", "finished"),
    "bulk job": (Job, "job_id", Job.Status.FAILED, "error_code", "finished"),
    "callback": (Delivery, "delivery_id", Delivery.Status.GIVEN_UP, "error", "finished"),
}
"""By kind: its table, and there the column of its id, the status of what has failed, why it has, and when."""


def _by_status(model: type[Model]) -> list[tuple[str, int]]:
    rows: QuerySet[Any] = model._default_manager.using(ALIAS).order_by("status")
    return list(rows.values("status").annotate(number=Count("pk")).values_list("status", "number"))


def _waiting(channel: Any, name: str) -> int:
    try:
        return int(channel.queue_declare(queue=name, passive=True).message_count)
    except ChannelError:
        # Nothing was ever put into it.
        return 0
