"""`strongroom ceremony`: rehearsed in one go, and held with cards that officers brought."""

import subprocess
import sys
from pathlib import Path

import pytest

from strongroom.officer import rehearsal
from strongroom.officer.cards import new_card, read_card, write_card

ROOT = Path(__file__).resolve().parents[3]
PINS = {"domain": "1111111", "security": "2222222", "partition": "3333333"}


def strongroom(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "strongroom", *arguments]
    return subprocess.run(command, input=given, cwd=ROOT, capture_output=True, text=True, check=False, timeout=90)


def test_a_rehearsal_leads_to_a_device_at_work_and_leaves_nothing() -> None:
    done = strongroom("ceremony", "--rehearse")
    assert done.returncode == 0, done.stderr
    said = done.stderr
    assert said.index("1. The device") < said.index("5. Security officers") < said.index("6. Transcript")
    assert "security2: 2 of 2, operational" in said
    assert "2 of 3 security   1 can be lost" in said
    folder = next(word for word in said.split() if word.endswith("/cards/domain1.card"))
    assert not Path(folder).exists()


def test_officers_bring_their_cards_and_take_them_home(tmp_path: Path) -> None:
    cards = []
    for officer_class, pin in PINS.items():
        for number in (1, 2):
            path = tmp_path / f"{officer_class}{number}.card"
            write_card(path, new_card(f"{officer_class}{number}", officer_class, pin))  # type: ignore[arg-type]
            cards.append(path)
    with rehearsal.device() as (console, root, _):
        (tmp_path / "root.pem").write_bytes(root)
        trust = ("--manufacturer-roots", str(tmp_path / "root.pem"))
        brought = [part for path in cards for part in ("--card", str(path))]
        hold = ("ceremony", "--console", console, "--folder", str(tmp_path / "papers"), *trust, *brought)
        # K of each class, then each officer's PIN once.
        typed = "".join([f"{2}\n" * 3, *[f"{PINS[read_card(path).face.officer_class]}\n" for path in cards]])
        done = strongroom(*hold, given=typed)
        assert done.returncode == 0, done.stderr
        assert "operational" in done.stderr
        assert all(read_card(path).face.world for path in cards)
        # A second ceremony on the same device is refused.
        assert "works already" in strongroom(*hold).stderr
    # At home, with the device far away.
    transcript = tmp_path / "papers" / "transcript.jws"
    shown = strongroom("ceremony", "transcript", str(transcript), *trust)
    assert read_card(cards[2]).face.fingerprint in shown.stdout
    assert "2 of 2 security" in shown.stdout
    head, payload, signature = transcript.read_text().split(".")
    transcript.write_text(f"{head}.{payload}.{signature[:-4]}AAAA")
    altered = strongroom("ceremony", "transcript", str(transcript), *trust)
    assert (altered.returncode, "signature-invalid" in altered.stderr) == (1, True)


@pytest.mark.parametrize("console", ["", "no-such-program"])
def test_without_a_console_it_says_what_is_missing(tmp_path: Path, console: str) -> None:
    with rehearsal.device() as (_, root, folder):
        (folder / "trusted.pem").write_bytes(root)
        trust = ("--manufacturer-roots", str(folder / "trusted.pem"))
        done = strongroom("ceremony", "--console", console, "--folder", str(tmp_path / "papers"), *trust)
    assert done.returncode == 1
    assert "console" in done.stderr
