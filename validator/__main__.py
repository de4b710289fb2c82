"""`python -m validator`: make the store, say what to watch, give clients their anchor, serve."""

import argparse
import logging
import os
import sys
import time
from pathlib import Path

from strongroom.protocol.credentials import PublicCredential
from strongroom.protocol.encoding import canonical_json, read_json
from strongroom.protocol.errors import Refused
from validator import identity, settings
from validator.server import serve
from validator.settings import Manufacturer, Provider, Settings
from validator.store import Store, write_file


def main() -> int:
    os.umask(0o077)
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="[%(levelname)s] %(message)s")
    arguments = _parser().parse_args()
    try:
        arguments.run(arguments)
    except Refused as refused:
        print(f"{refused.code}: {refused.problem.sentence} {refused.detail}".rstrip(), file=sys.stderr)
        return 1
    except OSError as error:
        print(f"{error.strerror}: {error.filename}", file=sys.stderr)
        return 1
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m validator", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    store = argparse.ArgumentParser(add_help=False)
    store.add_argument("--store", type=lambda text: Store(Path(text).resolve()), required=True, metavar="DIR")

    init = commands.add_parser("init", parents=[store], help="make what is missing; say, or say anew, what to watch")
    init.add_argument("--name", required=True, help="what the validator calls itself in its statements")
    init.add_argument("--interval", type=float, default=5.0, metavar="SECONDS", help="between two looks (5)")
    init.add_argument("--manufacturer-url", required=True, metavar="URL")
    init.add_argument("--manufacturer-tls", type=Path, required=True, metavar="FILE", help="TLS certificate to pin")
    init.add_argument("--manufacturer-roots", type=Path, required=True, metavar="FILE", help="its roots")
    init.add_argument("--provider", required=True, metavar="NAME", help="as the manufacturer's provider table has it")
    init.add_argument("--provider-url", required=True, metavar="URL")
    init.add_argument("--provider-tls", type=Path, required=True, metavar="FILE", help="certificate or authority")
    init.add_argument("--provider-credential", type=Path, required=True, metavar="FILE", help="its validator's JWK")
    init.set_defaults(run=_init)

    anchor = commands.add_parser("anchor", parents=[store], help="write what a client is given, as JSON")
    anchor.add_argument("--url", required=True, help="where clients reach this validator")
    anchor.add_argument("--out", type=Path, metavar="FILE", help="instead of standard output")
    anchor.set_defaults(run=_anchor)

    serve_ = commands.add_parser("serve", parents=[store], help="watch, and serve over TLS on 127.0.0.1")
    serve_.add_argument("--port", type=int, required=True)
    serve_.set_defaults(run=lambda a: serve(store=a.store, port=a.port))
    return parser


def _init(arguments: argparse.Namespace) -> None:
    credential = read_json(arguments.provider_credential.read_bytes(), PublicCredential, "configuration")
    watched = Settings(
        name=arguments.name,
        interval=arguments.interval,
        manufacturer=Manufacturer(
            url=arguments.manufacturer_url,
            tls=arguments.manufacturer_tls.read_text(),
            roots=arguments.manufacturer_roots.read_text(),
        ),
        provider=Provider(
            name=arguments.provider,
            url=arguments.provider_url,
            tls=arguments.provider_tls.read_text(),
            credential=credential,
        ),
    )
    arguments.store.create()
    identity.create(store=arguments.store, now=int(time.time()))
    settings.save(store=arguments.store, settings=watched)


def _anchor(arguments: argparse.Namespace) -> None:
    written = canonical_json(identity.anchor(store=arguments.store, url=arguments.url))
    if arguments.out is None:
        print(written.decode())
    else:
        write_file(arguments.out, written)


if __name__ == "__main__":
    sys.exit(main())
