"""`DIR/access.json` (0600): everything that a tester or a tool needs to use a development stack.

    {"url", "tls_url", "tls_ca", "manufacturer_url", "validator_url", "hsm_socket", "database_url",
     "processes": {name: process id},
     "officers": [{"username", "password", "otp_seed", "class", "card_file", "pin"}],
     "support": [{"username", "password", "otp_seed"}],
     "tenants": [{"slug", "token", "admin": {"username", "password", "otp_seed"}, "client_home"}]}

It is there exactly while the stack is ready. `url` is the portal without TLS, on this machine alone; `tls_ca` is the
file of the certificate that vouches for `tls_url`. `database_url` is the owner's of the tables; `otp_seed` is base32.
"""

import msgspec

from stack.layout import State, write_private
from stack.people import read_people
from stack.run import Run


def write_access(state: State, run: Run) -> None:
    people = read_people(state)
    access = {
        "url": run.url,
        "tls_url": run.tls_url,
        "tls_ca": str(state.tls_ca),
        "manufacturer_url": run.manufacturer_url,
        "validator_url": run.validator_url,
        "hsm_socket": str(state.hsm_socket),
        "database_url": run.database_url,
        "processes": {"supervisor": run.supervisor.pid} | {name: one.pid for name, one in run.processes.items()},
        "officers": [
            {
                "username": one.username,
                "password": one.password,
                "otp_seed": one.otp_seed,
                "class": one.officer_class,
                "card_file": str(state.card(one.username)),
                "pin": one.pin,
            }
            for one in people.officers
        ],
        "support": msgspec.to_builtins(people.support),
        "tenants": [
            {
                "slug": slug,
                "token": (state.customer(slug) / "token").read_text().strip(),
                "admin": {"username": one.username, "password": one.password, "otp_seed": one.otp_seed},
                "client_home": str(state.customer(slug)),
            }
            for slug, one in people.admins.items()
        ],
    }
    write_private(state.access_file, msgspec.json.format(msgspec.json.encode(access)))
