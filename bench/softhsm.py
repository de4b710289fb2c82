"""The yardstick SoftHSM2, called in-process through python-pkcs11. Run by the benchmarks' own Python: prints a rate."""

import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pkcs11  # only in the benchmarks' own environment
from pkcs11.util.ec import encode_named_curve_parameters

LIBRARY = "/usr/lib/softhsm/libsofthsm2.so"


def main() -> None:
    seconds = float(sys.argv[1])
    with tempfile.TemporaryDirectory() as folder:
        configuration = Path(folder) / "softhsm2.conf"
        configuration.write_text(f"directories.tokendir = {folder}\nobjectstore.backend = file\nlog.level = ERROR\n")
        os.environ["SOFTHSM2_CONF"] = str(configuration)
        initialise = [
            "softhsm2-util",
            "--init-token",
            "--free",
            "--label",
            "bench",
            "--pin",
            "1234",
            "--so-pin",
            "1234",
        ]
        subprocess.run(initialise, check=True, stdout=subprocess.DEVNULL)
        print(_rate(seconds))


def _rate(seconds: float) -> float:
    token = pkcs11.lib(LIBRARY).get_token(token_label="bench")  # noqa: S106
    with token.open(user_pin="1234", rw=True) as session:
        curve = encode_named_curve_parameters("secp256r1")
        parameters = session.create_domain_parameters(
            pkcs11.KeyType.EC, {pkcs11.Attribute.EC_PARAMS: curve}, local=True
        )
        _, private = parameters.generate_keypair()
        digest = os.urandom(32)
        started, done = time.perf_counter(), 0
        while (elapsed := time.perf_counter() - started) < seconds:
            private.sign(digest, mechanism=pkcs11.Mechanism.ECDSA)
            done += 1
    return done / elapsed


if __name__ == "__main__":
    main()
