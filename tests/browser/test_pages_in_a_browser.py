"""The portal as people see it, in Chromium: login with a one-time code, every page, no complaints, nothing cut off."""

import os
import re
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.support.addresses import addresses
from tests.support.command import run
from tests.support.reader import SCREENS, Reader

pytestmark = pytest.mark.browser

NAMES = ("", "keys", "partitions", "clients", "devices", "members", "jobs", "callbacks", "log", "log/portal", "usage")
CUSTOMER = [f"/{name}/".replace("//", "/") for name in NAMES]
OFFICER = [one for one in addresses("partition") if one.startswith("/officer/") and "{" not in one]


def look_at(reader: Reader, paths: list[str]) -> None:
    """Open each page on each kind of screen."""
    for path in paths:
        for width, scheme in SCREENS:
            reader.screen(width, scheme)
            assert reader.open(path) == 200, path
            expect(reader.page.get_by_role("heading", level=1)).to_be_visible()
            expect(reader.page.get_by_text("Development installation.")).to_be_visible()
            wide = reader.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wide <= 0, f"{path} is cut off at {width}"
    assert reader.complaints == []


def linked(reader: Reader, path: str) -> list[str]:
    """Where the first row of a list leads."""
    reader.open(path)
    return [str(link.get_attribute("href")) for link in reader.page.locator("tbody a").all()[:1]]


def test_alice_sees_every_page_on_every_screen(alice: Reader) -> None:
    details = [where for path in ("/keys/", "/partitions/", "/clients/") for where in linked(alice, path)]
    assert len(details) >= 2
    look_at(alice, CUSTOMER + details)


def test_an_officer_sees_every_page_on_every_screen(officer: Reader) -> None:
    details = linked(officer, "/officer/actions/") + linked(officer, "/officer/tenants/")
    assert len(details) == 2
    look_at(officer, OFFICER + details)


def test_what_an_api_client_did_stands_in_both_logs_by_its_name(alice: Reader, officer: Reader) -> None:
    acme = alice.stack.tenant("acme")
    acme.import_key("seen-in-a-browser", os.urandom(32), usages=["encrypt"])
    with acme.connect() as connection:
        name = connection.portal.get("whoami", dict[str, Any])["name"]
    for reader, path in ((alice, "/log/portal/"), (officer, "/officer/log/portal/")):
        look_at(reader, [path])
        row = reader.page.locator("tr", has_text="customer:import:completed").first
        expect(row.get_by_text(name, exact=True)).to_have_attribute("title", re.compile("^cl_"))
        expect(row).not_to_contain_text("cl_")


def test_on_paper_there_are_no_forms_and_the_times_have_a_zone(alice: Reader) -> None:
    alice.screen(1280, "light")
    alice.open("/log/")
    expect(alice.page.get_by_role("button", name="Filter")).to_be_visible()
    alice.page.emulate_media(media="print")
    try:
        for name in ("Filter", "Log out", "Copy"):
            expect(alice.page.get_by_role("button", name=name)).to_have_count(0)
        expect(alice.page.get_by_text("Times are in your zone")).to_be_visible()
    finally:
        alice.page.emulate_media(media="screen")


def test_an_export_is_looked_up_in_the_verified_log_line_by_line(alice: Reader, tmp_path: Path) -> None:
    acme = alice.stack.tenant("acme")
    acme.import_key("to-be-exported", os.urandom(32), usages=["encrypt"])
    # The device's log is copied within a second or two.
    imported = alice.page.get_by_role("link", name="to-be-exported")
    for _ in range(60):
        alice.open("/log/?event=key:import")
        if imported.count():
            break
        alice.page.wait_for_timeout(500)
    alice.page.get_by_role("link", name="Export it").click()
    with alice.page.expect_download() as download:
        alice.page.get_by_role("link", name="JSON lines").click()
    export = tmp_path / "export.jsonl"
    download.value.save_as(export)
    lines = export.read_bytes().splitlines()
    found = run(acme.home.path, "log", "verify", "--export", export)
    assert found["exported"] == {"entries": len(lines), "others": 0}
    assert 0 < len(lines) < found["entries"]
    export.write_bytes(export.read_bytes().replace(b'"key:import"', b'"key:make"'))
    refusal = run(acme.home.path, "log", "verify", "--export", export, refused="log-inconsistent")
    assert "line 1 of the export" in refusal["detail"]
    globex = alice.stack.tenant("globex")
    export.write_bytes(lines[0])
    assert run(globex.home.path, "log", "verify", "--export", export)["exported"] == {"entries": 0, "others": 1}


def test_a_wrong_code_is_refused_and_says_so(stranger: Reader) -> None:
    stranger.open("/login/")
    stranger.page.get_by_label("User name").fill("nobody")
    stranger.page.get_by_label("Password").fill("not a password")
    stranger.page.get_by_label("One-time code").fill("123456")
    stranger.page.get_by_role("main").get_by_role("button", name="Log in").click()
    expect(stranger.page.get_by_role("alert")).to_contain_text("one-time code is wrong")
    assert stranger.complaints == []


def test_login_and_logout_by_keyboard_alone(stranger: Reader) -> None:
    username = stranger.stack.people.admins["globex"].username
    person = stranger.stack.people.of(username)
    stranger.open("/login/")
    keyboard = stranger.page.keyboard
    for typed in (username, person.password, stranger.stack.code(username)):
        keyboard.type(typed)
        keyboard.press("Tab")
    keyboard.press("Enter")
    expect(stranger.page.get_by_role("heading", level=1)).to_have_text(re.compile("globex", re.IGNORECASE))
    # The first stop is the way past the navigation; the last before the content is the way out.
    keyboard.press("Tab")
    expect(stranger.page.get_by_text("Skip to the content")).to_be_focused()
    for _ in range(20):
        keyboard.press("Tab")
        if stranger.page.get_by_role("button", name="Log out").evaluate("one => one === document.activeElement"):
            break
    keyboard.press("Enter")
    expect(stranger.page).to_have_url(re.compile("/login/$"))
    stranger.open("/keys/")
    expect(stranger.page).to_have_url(re.compile("/login/"))
    assert stranger.complaints == []


def test_the_policy_stops_a_script_that_got_into_a_page(alice: Reader) -> None:
    alice.open("/")
    alice.page.evaluate(
        "() => { const one = document.createElement('script'); one.textContent = 'window.planted = 1';"
        " document.body.append(one) }"
    )
    assert alice.page.evaluate("window.planted") is None
    refused = [one for one in alice.complaints if "Content Security Policy" in one]
    assert refused
    alice.complaints[:] = [one for one in alice.complaints if one not in refused]


def test_a_new_token_can_be_read_once(alice: Reader) -> None:
    alice.open("/clients/")
    alice.page.get_by_label("Name").fill("made-in-a-browser")
    alice.page.get_by_role("button", name="Make client").click()
    expect(alice.page.get_by_role("heading", level=1)).to_have_text("made-in-a-browser")
    alice.page.get_by_role("button", name="Make token").click()
    alice.confirm()
    token = alice.page.get_by_label("Token", exact=True).input_value()
    assert len(token) > 40
    where = alice.page.url.removeprefix(alice.stack.url)
    alice.open(where)
    assert token not in alice.page.content()
    alice.page.get_by_role("button", name="Remove client").click()
    expect(alice.page.get_by_role("heading", level=1)).to_have_text(
        "Remove the API client made-in-a-browser and all its tokens?"
    )
    alice.confirm()
    expect(alice.page.get_by_role("status")).to_contain_text("removed")
    assert alice.complaints == []


def test_after_a_wrong_code_the_browsers_back_button_leads_to_the_question_and_to_what_was_before(
    alice: Reader,
) -> None:
    page = alice.page
    alice.open("/members/")
    page.get_by_label("E-mail address").fill("eve@acme.example")
    page.get_by_role("button", name="Invite", exact=True).click()
    question = page.get_by_role("heading", level=1, name="Invite eve@acme.example as operator?")
    for code in ("000000", "000001"):
        page.get_by_label("A fresh one-time code").fill(code)
        page.get_by_label("A fresh one-time code").press("Enter")
        page.get_by_role("alert").wait_for()
    for _ in range(2):
        page.go_back()
        expect(question).to_be_visible()
        expect(page.get_by_role("alert")).to_have_count(0)
    page.go_back()
    expect(page.get_by_role("heading", level=1)).to_have_text("Members")
    # The browser notes that the two codes were refused, and nothing else.
    assert all("403" in one for one in alice.complaints), alice.complaints
    alice.complaints.clear()


def test_the_api_can_be_browsed_and_a_link_unfolds_what_it_leads_to(stranger: Reader) -> None:
    look_at(stranger, ["/api/docs/"])
    stranger.open("/api/docs/#keys_sign")
    expect(stranger.page.get_by_text("/api/v1/officer/actions", exact=True).first).to_be_visible()
    expect(stranger.page.locator("#keys_sign").get_by_text("YSBjb250cmFjdA==").first).to_be_visible()
    expect(stranger.page.locator("#keys_verify").get_by_text("In", exact=True)).to_be_hidden()


def test_keys_are_sorted_by_their_headings_or_where_there_are_none_by_a_list(alice: Reader) -> None:
    acme = alice.stack.tenant("acme")
    for name in ("sorted-first", "sorted-second"):
        acme.import_key(name, os.urandom(32), usages=["encrypt"])
    alice.screen(*SCREENS[0])
    alice.open("/keys/?text=sorted-")
    names = alice.page.locator("tbody th a")
    expect(names).to_have_text(["sorted-first", "sorted-second"])
    expect(alice.page.get_by_label("Sorted by")).to_be_hidden()
    alice.page.get_by_role("columnheader", name="Name").get_by_role("link").click()
    expect(names).to_have_text(["sorted-second", "sorted-first"])
    alice.screen(*SCREENS[2])
    alice.page.get_by_label("Sorted by").select_option("import, oldest first")
    expect(names).to_have_text(["sorted-first", "sorted-second"])
    assert alice.complaints == []
