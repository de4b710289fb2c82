"""The customers of a development installation, from a login to a partition that is theirs.

Everything is done as customers and officers do it, through their SDK. What was done before is recognised and left
alone, so this can be interrupted anywhere and begun again.
"""

import contextlib
import subprocess
import sys
import time
from pathlib import Path

import msgspec

from stack.device import manufacturer_roots
from stack.layout import PROJECT, PROVIDER, TENANTS, VALIDATOR, State, write_private
from stack.narration import chapter, done
from stack.otp import next_code
from stack.people import OfficerPerson, People, Person, read_people
from stack.run import Run, read_run
from stack.services import manufacturer_tls
from strongroom.client import access, account
from strongroom.client.connection import connect
from strongroom.client.home import Config, Home, TrustFiles
from strongroom.officer import actions
from strongroom.officer.cards import open_card, read_card
from strongroom.protocol.access import client_principal, device_principal
from strongroom.protocol.action_table import DefinePartition
from strongroom.protocol.admin_actions import read_action
from strongroom.protocol.credentials import PublicCredential
from strongroom.protocol.errors import Refused

CLIENT = "backend"
DEVICE = "laptop"
OPERATIONS = ["sign", "verify", "encrypt", "decrypt", "hash", "translate", "derive", "wrap", "unwrap"]


def customers(state: State) -> None:
    """Give each tenant a configuration folder that is ready for use."""
    run, people = read_run(state), read_people(state)
    if run is None:
        raise Refused("configuration", "this stack has no run.json")
    # 1. Each customer is told where everyone answers this time, and given what to trust them by.
    homes = {slug: _configure(state, run, state.customer(slug), tenant=slug) for slug in TENANTS}
    _trust_validator(state, run, list(homes.values()))
    if all(_is_complete(home) for home in homes.values()):
        return
    # 2. Each customer's admin logs in, makes the credentials and asks for a partition.
    chapter("The customers")
    for slug, home in homes.items():
        _prepare(state, people.admins[slug], home)
    # 3. Officers define what was asked for: one requests, two others approve.
    _define_partitions(state, run, people, {home.credential("owner") for home in homes.values()})
    # 4. The owner alone says who may use the partition.
    for slug, home in homes.items():
        _use_partition(slug, home)


def configure_officer(state: State, run: Run, officer: OfficerPerson) -> Home:
    state.folder("officers")
    return _configure(state, run, state.folder(f"officers/{officer.username}"), tenant="")


def log_in(state: State, person: Person, home: Home) -> None:
    """Log a person in with a fresh one-time code, unless the token that the folder keeps still serves."""
    if home.session():
        with connect(home, "person") as connection, contextlib.suppress(Refused):
            if connection.portal.get("whoami", dict)["name"] == person.username:
                return
    with connect(home, "nobody") as connection:
        account.login(connection, person.username, person.password, next_code(state, person))


def _configure(state: State, run: Run, folder: Path, *, tenant: str) -> Home:
    """A configuration folder for this start's addresses, with the trust anchors that are given out of band."""
    home = Home(folder)
    partition = home.config().partition if (folder / "config.json").exists() else ""
    trust = TrustFiles(
        manufacturer_roots=manufacturer_roots(state),
        manufacturer_tls=manufacturer_tls(state).read_bytes(),
        provider_validation=state.validation_credential_file.read_bytes(),
        provider_tls=state.tls_ca.read_bytes(),
    )
    config = Config(
        url=run.tls_url,
        tenant=tenant,
        provider=PROVIDER,
        manufacturer_url=run.manufacturer_url,
        partition=partition,
    )
    home.configure(config, trust)
    return home


def _is_complete(home: Home) -> bool:
    partition = home.config().partition
    return bool(partition and home.token() and home.kept("access", partition))


def _trust_validator(state: State, run: Run, homes: list[Home]) -> None:
    """The independent validator's anchor, which its operator hands out."""
    command = [sys.executable, "-m", "validator", "anchor", "--store", str(state.root / "validator")]
    anchor = subprocess.run([*command, "--url", run.validator_url], stdout=subprocess.PIPE, check=True, cwd=PROJECT)
    for home in homes:
        folder = home.path / "trust" / "validators"
        folder.mkdir(mode=0o700, exist_ok=True)
        write_private(folder / f"{VALIDATOR}.json", anchor.stdout)


def _prepare(state: State, admin: Person, home: Home) -> None:
    slug = home.config().tenant
    log_in(state, admin, home)
    with connect(home, "person") as connection:
        # 1. The credentials, whose private halves stay in the folder.
        if not home.has_key("owner"):
            home.make_key("owner")
        if not any(one["name"] == DEVICE for one in account.devices(connection)):
            account.enrol_device(connection, DEVICE)
        # 2. An API client with a token.
        if not any(one["name"] == CLIENT for one in account.clients(connection)):
            account.create_client(connection, CLIENT)
        if not home.token():
            home.save_token(account.create_token(connection, CLIENT).token)
        # 3. A partition that this owner credential will own.
        if not account.partitions(connection):
            account.request_partition(connection, f"{slug} main")
    owner = home.credential("owner").fingerprint
    done(
        f"{slug}: {admin.username} logged in with a one-time code; owner {owner[:12]}…, device and API client are there"
    )


def _define_partitions(state: State, run: Run, people: People, owners: set[PublicCredential]) -> None:
    requester, *approvers = people.officers_of("partition")
    # 1. The first officer requests what is not requested yet.
    card = open_card(read_card(state.card(requester.username)), requester.pin)
    home = configure_officer(state, run, requester)
    log_in(state, requester, home)
    with connect(home, "person") as connection:
        for asked in actions.partition_requests(connection):
            if not any(_defines(one, asked) for one in actions.actions(connection)):
                wanted = actions.define_partition(asked)
                actions.request_action(connection, card, wanted, int(time.time()), partition_request=asked.request)
                done(f"{requester.username} requested: define a partition for {asked.tenant}, with its owner's key")
    # 2. Two others read the very bytes, sign their digest with their cards, and give a fresh code each.
    for officer in approvers:
        card = open_card(read_card(state.card(officer.username)), officer.pin)
        home = configure_officer(state, run, officer)
        log_in(state, officer, home)
        with connect(home, "person") as connection:
            for opened in actions.actions(connection):
                body = read_action(opened.action).body
                if opened.state != "open" or not isinstance(body, DefinePartition) or body.owner not in owners:
                    continue
                code = next_code(state, officer)
                after = actions.approve(connection, card, opened, code, int(time.time()))
                done(f"{officer.username} approved the partition for {body.tenant}: the action is {after.state}")


def _defines(opened: actions.OpenedAction, asked: actions.PartitionRequest) -> bool:
    return opened.state == "open" and read_action(opened.action).body == actions.define_partition(asked)


def _use_partition(slug: str, home: Home) -> None:
    with connect(home, "person") as connection:
        # 1. The partition, if it is for our own owner credential.
        own = home.credential("owner").fingerprint
        mine = [one for one in account.partitions(connection) if one["status"] == "defined" and _owner(one) == own]
        if not mine:
            raise Refused("not-found", f"the officers have defined no partition for {slug}")
        home.use_partition(mine[0]["partition"])
        # 2. The access list: this device, and the API client.
        credential = home.credential("device")
        client = account.client_id(connection, CLIENT)
        allow_device = access.allow(
            device_principal(credential), ["import", *OPERATIONS], credential=credential, label=DEVICE
        )
        allow_client = access.allow(client_principal(client), ["import", *OPERATIONS], label=CLIENT)
        listed = access.update(connection, lambda principals: allow_client(allow_device(principals)), int(time.time()))
    done(f"{slug}: partition [bold]{home.partition()}[/]; access list {listed.version} signed by its owner")


def _owner(partition: account.Record) -> str:
    return msgspec.convert(partition["owner"], PublicCredential).fingerprint
