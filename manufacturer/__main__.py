"""`python -m manufacturer`: make the store, certify devices, keep their status, serve."""

import argparse
import logging
import os
import sys
import time
from pathlib import Path

import msgspec
from cryptography.hazmat.primitives.serialization import Encoding

from manufacturer import hierarchy, services
from manufacturer.selectors import STATUSES, all_devices, all_vendor_keys
from manufacturer.server import serve
from manufacturer.store import Store, write_file
from strongroom.protocol.encoding import canonical_json
from strongroom.protocol.errors import Refused


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
    parser = argparse.ArgumentParser(prog="python -m manufacturer", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    store = argparse.ArgumentParser(add_help=False)
    store.add_argument("--store", type=lambda text: Store(Path(text).resolve()), required=True, metavar="DIR")

    init = commands.add_parser("init", parents=[store], help="make what is missing of the store")
    init.set_defaults(run=lambda a: hierarchy.create(store=a.store, now=int(time.time())))

    certify = commands.add_parser("certify", parents=[store], help="certify a device that a provider bought")
    certify.add_argument("--csr", type=Path, required=True, metavar="FILE")
    certify.add_argument("--mode", choices=("production", "development"), required=True)
    certify.add_argument("--provider", required=True, metavar="NAME")
    certify.add_argument("--out", type=Path, required=True, metavar="DIR")
    certify.set_defaults(run=_certify)

    device = commands.add_parser("device-status", parents=[store], help="change a device's status")
    device.add_argument("--device", required=True, metavar="ID")
    device.add_argument("--status", choices=STATUSES, required=True)
    device.set_defaults(run=lambda a: services.set_device_status(store=a.store, device=a.device, status=a.status))

    key = commands.add_parser("vendor-key-status", parents=[store], help="change a vendor key's status")
    key.add_argument("--key", required=True, metavar="ID")
    key.add_argument("--status", choices=STATUSES, required=True)
    key.set_defaults(run=lambda a: services.set_vendor_key_status(store=a.store, key_id=a.key, status=a.status))

    list_ = commands.add_parser("list", parents=[store], help="print devices and vendor keys as JSON")
    list_.set_defaults(run=_list)

    serve_ = commands.add_parser("serve", parents=[store], help="serve over TLS on 127.0.0.1")
    serve_.add_argument("--port", type=int, required=True)
    serve_.set_defaults(run=lambda a: serve(store=a.store, port=a.port))
    return parser


def _certify(arguments: argparse.Namespace) -> None:
    hierarchies = hierarchy.load(arguments.store)
    device = services.certify_device(
        store=arguments.store,
        hierarchies=hierarchies,
        request=arguments.csr.read_bytes(),
        mode=arguments.mode,
        provider=arguments.provider,
        now=int(time.time()),
    )
    arguments.out.mkdir(parents=True, exist_ok=True)
    write_file(arguments.out / "root.pem", hierarchies[device.mode].root.certificate.public_bytes(Encoding.PEM))
    write_file(arguments.out / "certificate.pem", device.certificate.encode())
    print(device.device)


def _list(arguments: argparse.Namespace) -> None:
    with arguments.store.reading() as register:
        keys = [
            {name: getattr(key, name) for name in ("key_id", "device", "status", "listed_at")}
            for key in all_vendor_keys(register)
        ]
        listing = {"devices": [msgspec.structs.asdict(one) for one in all_devices(register)], "vendor_keys": keys}
    print(msgspec.json.format(canonical_json(listing), indent=2).decode())


if __name__ == "__main__":
    sys.exit(main())
