"""Keys and envelopes for the portal's tests."""

import base64
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from strongroom.protocol.envelope import Envelope
from strongroom.protocol.mechanisms import KeyType, Usage
from strongroom.protocol.terms import Terms, new_salt
from tests.support.portal import Organisation
from tests.support.sealed import Customer


def p256_pkcs8() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def p256_terms(**changes: Any) -> Terms:
    fields: dict[str, Any] = {
        "salt": new_salt(),
        "key_type": KeyType.EC_P256,
        "usages": [Usage.SIGN, Usage.VERIFY, Usage.HASH],
        "authorisation": "token",
    }
    return Terms(**(fields | changes))


def p256_envelope(customer: Customer, name: str, **changes: Any) -> Envelope:
    return customer.envelope(p256_pkcs8(), p256_terms().encode(), name, **changes)


def aes_terms(**changes: Any) -> Terms:
    usages = [Usage.ENCRYPT, Usage.DECRYPT, Usage.TRANSLATE]
    return p256_terms(**{"key_type": KeyType.AES_256, "usages": usages, "translate_to": ["*"]} | changes)


def import_body(partition: str, envelope: Envelope) -> dict[str, str]:
    """The body of `POST imports`."""
    return {
        "partition": partition,
        "header": envelope.header,
        "material": base64.b64encode(envelope.material).decode(),
        "terms": base64.b64encode(envelope.terms).decode(),
    }


def import_p256(organisation: Organisation, customer: Customer, name: str, **terms: Any) -> dict[str, Any]:
    """Import a fresh P-256 key through the portal; what the portal says of it."""
    return import_material(organisation, customer, name, p256_pkcs8(), p256_terms(**terms))


def import_material(
    organisation: Organisation, customer: Customer, name: str, material: bytes, terms: Terms
) -> dict[str, Any]:
    """Import through the portal; what the portal says of the key."""
    envelope = customer.envelope(material, terms.encode(), name)
    response = organisation.as_client().post("imports", json=import_body(customer.partition, envelope))
    assert response.status_code == 201, response.text
    return response.json()
