"""Key stores of Java's keytool: the device signs what keytool had its key sign, and keytool accepts the chain."""

import pytest

from tests.support.foreign import WORDS, Bench, dealt, signed_again, to_be_signed

pytestmark = pytest.mark.needs("keytool")

STORE = f"-keystore store.p12 -storetype PKCS12 -storepass {WORDS}"
LEAVES = f"-keystore leaves.p12 -storetype PKCS12 -storepass {WORDS}"
# How keytool makes the key, and how it signs with it.
FORMS = {
    "rsa": ("-keyalg RSA -keysize 2048", "-sigalg RSASSA-PSS"),
    "rsa-pss": ("-keyalg RSASSA-PSS -keysize 2048", ""),
    "p256": ("-keyalg EC -groupname secp256r1", ""),
    "p384": ("-keyalg EC -groupname secp384r1", ""),
    "ed25519": ("-keyalg Ed25519", ""),
}


@pytest.mark.parametrize(("form", "route"), dealt(FORMS))
def test_it_accepts_a_certificate_that_the_device_signed(bench: Bench, form: str, route: tuple[str, ...]) -> None:
    make, sign = FORMS[form]
    # 1. keytool makes an authority, and has it certify another key.
    bench.tool(f"keytool -genkeypair -alias authority {make} -dname CN=authority -ext bc:c {STORE}")
    bench.tool(f"keytool -genkeypair -alias leaf -keyalg EC -groupname secp256r1 -dname CN=leaf {LEAVES}")
    bench.tool(f"keytool -certreq -alias leaf -file leaf.csr {LEAVES}")
    bench.tool(f"keytool -gencert -alias authority {sign} -infile leaf.csr -outfile leaf.der {STORE}")
    bench.tool(f"keytool -exportcert -alias authority -file authority.der {STORE}")
    bench.tool(f"keytool -importcert -noprompt -alias authority -file authority.der {LEAVES}")
    # 2. The device has the authority's key, and signs the same certificate.
    key = bench.bring_in("store.p12", "sign", options=route)
    leaf = (bench.folder / "leaf.der").read_bytes()
    accept = f"keytool -importcert -noprompt -alias leaf -file again.pem {LEAVES}"
    bench.write("again.pem", signed_again(leaf, key.sign(to_be_signed(leaf) + b"!")))
    bench.tool(accept, fails=True)
    bench.write("again.pem", signed_again(leaf, key.sign(to_be_signed(leaf))))
    bench.tool(accept)
