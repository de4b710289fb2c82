"""The access lists of a partition as its log has them: each followed the one before, under a signature that counted."""

from collections.abc import Iterable
from dataclasses import dataclass

from strongroom.client.approvals import text
from strongroom.protocol.access import AccessList, check_update, editor_counters, editors_of, signer_of
from strongroom.protocol.credentials import PublicCredential
from strongroom.protocol.errors import Refused
from strongroom.protocol.log import Entry
from strongroom.protocol.security_keys import check_counter, is_by_security_key


@dataclass(frozen=True)
class Listed:
    """A list that was put in force, who signed it by fingerprint, and whether that was a security key, by its label."""

    entry: Entry
    document: str
    says: AccessList
    signer: str
    by_security_key: bool
    label: str


def check_lists(entries: Iterable[Entry], partition: str, owner: PublicCredential) -> list[Listed]:
    """Every list that a partition's log says was put in force since it was defined for `owner`, each checked again.

    Raises `Refused` as `check_update` and `check_counter` do, and names the entry; `log-inconsistent` where it has no
    list, or names another signer.
    """
    lists: list[Listed] = []
    counters: dict[str, int] = {}
    for entry in entries:
        if entry.event == "access:update":
            try:
                lists.append(_check(entry, partition, owner, lists[-1] if lists else None, counters))
            except Refused as refused:
                raise Refused(refused.code, f"entry {entry.n}: {refused.detail or refused.problem.sentence}") from None
            counters |= editor_counters(lists[-1].document)
    return lists


def _check(
    entry: Entry, partition: str, owner: PublicCredential, last: Listed | None, counters: dict[str, int]
) -> Listed:
    document = text(entry, "document")
    says = check_update(
        document,
        partition=partition,
        owners=last.says.owners if last else [owner],
        version=last.says.version if last else 0,
        current=last.document if last else None,
    )
    for key, counter in editor_counters(document).items():
        check_counter(counter, counters.get(key, 0), user="an editor")
    signer = signer_of(document)
    # Entries of earlier versions of the device name no one.
    if entry.principal not in ("", signer):
        raise Refused("log-inconsistent", "it names another than whoever signed the list")
    label = next((one.label for one in editors_of(says) if one.key.fingerprint == signer), "")
    return Listed(entry, document, says, signer, is_by_security_key(document), label)
