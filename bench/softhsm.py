"""The yardstick SoftHSM2, called in-process through python-pkcs11. Run by the benchmarks' own Python: prints a rate.

`softhsm.py SECONDS (p256 | ed25519 | rsa2048 | aes | hmac)`: operations a second, the last two on 1 KiB.
"""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import pkcs11  # only in the benchmarks' own environment
from pkcs11.util.ec import encode_named_curve_parameters

LIBRARY = "/usr/lib/softhsm/libsofthsm2.so"
MESSAGE, KIB = b"x" * 256, b"x" * 1024


def main() -> None:
    seconds, kind = float(sys.argv[1]), sys.argv[2]
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
        token = pkcs11.lib(LIBRARY).get_token(token_label="bench")  # noqa: S106
        with token.open(user_pin="1234", rw=True) as session:
            print(_rate(_operation(session, kind), seconds))


def _operation(session: pkcs11.Session, kind: str) -> Callable[[], object]:
    if kind == "aes":
        return _encryption(session)
    if kind == "hmac":
        able = pkcs11.MechanismFlag.SIGN
        making = pkcs11.Mechanism.GENERIC_SECRET_KEY_GEN
        secret = session.generate_key(pkcs11.KeyType.GENERIC_SECRET, 256, mechanism=making, capabilities=able)
        return lambda: secret.sign(KIB, mechanism=pkcs11.Mechanism.SHA256_HMAC)
    if kind == "rsa2048":
        _, private = session.generate_keypair(pkcs11.KeyType.RSA, 2048)
        pss = (pkcs11.Mechanism.SHA256, pkcs11.MGF.SHA256, 32)
        return lambda: private.sign(MESSAGE, mechanism=pkcs11.Mechanism.SHA256_RSA_PKCS_PSS, mechanism_param=pss)
    if kind == "ed25519":
        private = _pair(session, pkcs11.KeyType.EC_EDWARDS, encode_named_curve_parameters("1.3.101.112"))
        return lambda: private.sign(MESSAGE, mechanism=pkcs11.Mechanism.EDDSA)
    private, digest = _pair(session, pkcs11.KeyType.EC, encode_named_curve_parameters("secp256r1")), os.urandom(32)
    return lambda: private.sign(digest, mechanism=pkcs11.Mechanism.ECDSA)


def _encryption(session: pkcs11.Session) -> Callable[[], object]:
    key = session.generate_key(pkcs11.KeyType.AES, 256)

    def encrypt() -> object:
        nonce = os.urandom(12)
        parameter = pkcs11.GCMParams(nonce=nonce, aad=b"", tag_bits=128)
        return nonce + key.encrypt(KIB, mechanism=pkcs11.Mechanism.AES_GCM, mechanism_param=parameter)

    return encrypt


def _pair(session: pkcs11.Session, key_type: pkcs11.KeyType, curve: bytes) -> pkcs11.PrivateKey:
    parameters = session.create_domain_parameters(key_type, {pkcs11.Attribute.EC_PARAMS: curve}, local=True)
    mechanism = pkcs11.Mechanism.EC_EDWARDS_KEY_PAIR_GEN if key_type is pkcs11.KeyType.EC_EDWARDS else None
    return parameters.generate_keypair(mechanism=mechanism)[1]


def _rate(sign: Callable[[], object], seconds: float) -> float:
    sign()
    started, done = time.perf_counter(), 0
    while (elapsed := time.perf_counter() - started) < seconds:
        sign()
        done += 1
    return done / elapsed


if __name__ == "__main__":
    main()
