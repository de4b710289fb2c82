"""Key files into what the device takes: unencrypted PKCS#8 or SubjectPublicKeyInfo in DER, or a symmetric key's bytes.

`files` tells what a file is; `private_keys`, `jwk`, `symmetric` read one kind each; `ec_lengths` puts right what GnuTLS
writes; `certificates` orders a chain; `kinds` says which keys are accepted, and tests them.
"""

from strongroom.client.material.certificates import own_chain, read_certificates
from strongroom.client.material.files import needs_passphrase, public_key_der, read_material
from strongroom.client.material.kinds import Material, type_of_public_key

__all__ = [
    "Material",
    "needs_passphrase",
    "own_chain",
    "public_key_der",
    "read_certificates",
    "read_material",
    "type_of_public_key",
]
