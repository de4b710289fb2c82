"""docs/quorum.md has the table of actions as the code has it."""

from pathlib import Path

from strongroom.protocol.action_table import ACTIONS

PAGE = Path(__file__).resolve().parents[3] / "docs/quorum.md"


def table() -> str:
    """The rows of the page, from ACTIONS."""
    rows = []
    for name, kind in ACTIONS.items():
        summary = (kind.body.__doc__ or "").strip().partition("\n")[0]
        rows.append(f"| `{name}` | {kind.officer_class} officers | {summary} |")
    return "\n".join(rows)


def test_the_page_has_every_action_with_its_class() -> None:
    between = PAGE.read_text().partition("| --- | --- | --- |\n")[2].partition("\n<!-- end -->")[0]
    assert between == table()


def test_no_action_gives_anyone_a_key_or_a_right_to_it() -> None:
    fields = {field for kind in ACTIONS.values() for field in kind.body.__struct_fields__}
    words = " ".join([*ACTIONS, *fields])
    assert not any(word in words for word in ("access", "export", "principal", "grant"))
