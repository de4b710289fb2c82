"""Key files into what the device takes: unencrypted PKCS#8 or SubjectPublicKeyInfo in DER, or a symmetric key's bytes.

`files` tells what a file is; `private_keys`, `jwk`, `symmetric` read one kind each; `ec_lengths` puts right what GnuTLS
writes; `certificates` orders a chain; `kinds` says which keys are accepted, and tests them.
"""

from strongroom.client.material.files import needs_passphrase, public_key_der, read_material
from strongroom.client.material.kinds import Material

__all__ = ["Material", "needs_passphrase", "public_key_der", "read_material"]
