"""The one typed error of the protocol, and the catalogue of its stable codes.

Every refusal, wherever it is made, is a `Refused` with a code from `CATALOGUE`. Codes are part of the
public interface: they are never renamed. The sentence tells the reader what to do about it.
"""

from typing import NamedTuple


class Problem(NamedTuple):
    """What a code means at the edge: the HTTP status (RFC 9110) and a sentence that says what to do."""

    status: int
    sentence: str


CATALOGUE: dict[str, Problem] = {
    # The request as such
    "malformed": Problem(400, "The request cannot be read. Compare it with the API description at /api/schema/."),
    "not-found": Problem(404, "There is no such thing here, or it is not yours. Check the name and the token."),
    "too-large": Problem(413, "The request is larger than allowed. Send less, or hash a large message first."),
    "media-type-unsupported": Problem(415, "Send JSON, and say so: 'Content-Type: application/json'."),
    "batch-too-large": Problem(413, "The batch has more items or bytes than one may have. Send it as several."),
    "method-not-allowed": Problem(405, "That method is not offered here. See /api/schema/."),
    "conflict": Problem(409, "Something of that name or state is already there. Look at it before trying again."),
    "idempotency-mismatch": Problem(
        422, "This Idempotency-Key was used for another request. Use a fresh one for each request."
    ),
    "idempotency-in-progress": Problem(
        409,
        "A request with this Idempotency-Key is under way, or was cut off. Look what is there; then use another.",
    ),
    "idempotency-secret": Problem(
        409, "This was done; its answer held a secret that is shown once and is not kept. Revoke it, and make another."
    ),
    "callback-refused": Problem(
        400, "That address may not be called. Register a public one that begins with https://."
    ),
    "internal": Problem(500, "Strongroom failed. Nothing was half done; try again, then tell the provider."),
    # Who is asking
    "unauthenticated": Problem(401, "Send a valid token in the Authorization header: 'Bearer <token>'."),
    "token-expired": Problem(
        401,
        "This token has expired. A person logs in again: `strongroom login`. A program needs one from your admin.",
    ),
    "login-refused": Problem(401, "User name, password or one-time code is wrong. A code serves only once."),
    "otp-refused": Problem(403, "The one-time code is wrong or already used. Wait for the next code."),
    "otp-required": Problem(403, "This needs a login with a one-time code. Set one up in the portal first."),
    "forbidden": Problem(403, "Your role does not allow this. Ask an admin of your organisation."),
    "caller-refused": Problem(403, "The device does not accept this command from this caller."),
    # The state of the device and of the service
    "hsm-sealed": Problem(503, "The device is sealed. Officers must unseal it; try again later."),
    "hsm-unreachable": Problem(503, "The device does not answer. Nothing was half done; try again shortly."),
    "hsm-wrong-state": Problem(409, "The device is not in a state in which this can be done."),
    "log-unwritable": Problem(503, "The device cannot write its log and refuses to work until it can."),
    "unavailable": Problem(503, "A part that this needs does not answer. Try again shortly."),
    "throttled": Problem(429, "Too many attempts. Wait before trying again."),
    "quota-exceeded": Problem(429, "The limit for this minute is used up. Wait as Retry-After says, or ask for more."),
    "development-refused": Problem(403, "STRONGROOM_ENV is production: development devices are refused here."),
    # Signed statements
    "statement-malformed": Problem(
        400, "The signed statement cannot be read: it is cut, altered or of another kind. Have it made again."
    ),
    "signature-invalid": Problem(
        403,
        "The signature does not hold: something was altered, or another key signed. Rely on nothing in it.",
    ),
    "certificate-invalid": Problem(403, "The certificate does not lead to the manufacturer's root that you trust."),
    "nonce-mismatch": Problem(403, "The answer is not to this question: it was replayed or altered."),
    "stale": Problem(403, "The answer or request is too old. Ask again."),
    # Import
    "envelope-malformed": Problem(400, "The envelope cannot be read: it is truncated or altered. Wrap the key again."),
    "envelope-altered": Problem(400, "The envelope does not have the digests that its header states. Wrap again."),
    "envelope-unopenable": Problem(400, "The device cannot open the envelope. Wrap the key again with current keys."),
    "wrong-device": Problem(409, "The envelope is for another device. Fetch trust again and re-wrap."),
    "wrong-partition": Problem(409, "The envelope is for another partition. Wrap for the partition that you send to."),
    "wrong-tenant": Problem(409, "The envelope names another tenant. Wrap with your own configuration."),
    "wrong-owner": Problem(409, "The envelope names an owner that this partition does not have."),
    "vendor-key-unknown": Problem(409, "The vendor key is unknown or retired. Fetch trust again and re-wrap."),
    "provider-key-unknown": Problem(409, "The provider key is unknown or retired. Fetch trust again and re-wrap."),
    "suite-unsupported": Problem(400, "This suite or transport is not supported by the device."),
    "import-replayed": Problem(
        409, "Another envelope has used this import id; this one was not imported. Seal the key anew."
    ),
    "name-taken": Problem(
        409,
        "The partition already has a key of this name. Choose another, or bring in a new version of it: --new-version.",
    ),
    "terms-looser": Problem(
        403, "A new version's terms permit more than those before. Make them as strict, or have the owner consent."
    ),
    "transport-insecure": Problem(403, "This transport needs a TLS connection. Use the https address of the portal."),
    "certificate-mismatch": Problem(
        400,
        "A certificate cannot be read, or the first is another key's, or one was not issued by the next. "
        "Give the key's own certificate first, then its issuers in order.",
    ),
    "terms-refused": Problem(400, "The terms contradict themselves or ask for what the device does not enforce."),
    "key-unparsable": Problem(400, "The key bytes are not a key of the stated type. Check the file and its type."),
    "key-weak": Problem(400, "The key is too weak or of a kind that is not accepted."),
    "key-self-test-failed": Problem(400, "The key fails its self-test: its halves do not belong together."),
    # Authority inside a partition
    "device-not-listed": Problem(403, "The signer is not on the partition's access list. Ask the owner to add it."),
    "access-denied": Problem(403, "The access list does not give this principal that right. Ask the owner."),
    "access-list-conflict": Problem(409, "The access list has changed meanwhile. Fetch it and sign anew."),
    "not-the-owner": Problem(403, "Only an owner of the partition can do this, with the owner credential."),
    "not-an-editor": Problem(
        403,
        "This security key may not change the access list. The owner lets it: strongroom access editors add.",
    ),
    "beyond-an-editor": Problem(
        403,
        "A security key changes who is listed, and not who owns the partition or edits the list. The owner does that.",
    ),
    # Operations
    "signed-instruction-required": Problem(
        403,
        "This key's terms ask for instructions that a client device signs: use the command, without --token-mode.",
    ),
    "instruction-mismatch": Problem(400, "The signed instruction does not fit the request or its payload."),
    "instruction-replayed": Problem(409, "This instruction was used before. Sign a new one with a fresh nonce."),
    "instruction-expired": Problem(409, "The deferred instruction has expired. Sign a new one."),
    "session-stale": Problem(409, "The device's session has changed. Fetch the session and sign again."),
    "operations-key-unknown": Problem(409, "The operations key is not in force. Fetch trust again and seal anew."),
    "sealed-unopenable": Problem(
        400, "The device cannot open what was sealed: it was altered, or sealed for another key, version or operation."
    ),
    "usage-not-permitted": Problem(
        403,
        "The key's own terms do not permit this use. Bring in a new version whose terms do, with the owner's consent.",
    ),
    "translate-not-permitted": Problem(
        403, "The source key's terms do not permit that target. Bring in a new version with --translate-to TARGET."
    ),
    "key-not-active": Problem(
        409,
        "The key is not active: it is outside its validity or has been stopped. Use, or bring in, another version.",
    ),
    "key-suspended": Problem(
        409, "The key is suspended: no answer in force says that it may be used. See its revocation status."
    ),
    "version-below-minimum": Problem(
        409, "The owner has set a higher minimum version of this key. Use a newer version, or ask the owner."
    ),
    "mechanism-unsupported": Problem(
        400, "This mechanism or its parameters do not fit the key. docs/mechanisms.md says which do."
    ),
    "ciphertext-invalid": Problem(400, "The ciphertext cannot be opened with this key and these parameters."),
    "payload-invalid": Problem(400, "The payload does not fit the mechanism, for instance in its length."),
    # Quorum
    "card-pin-wrong": Problem(403, "The PIN does not open this card file, or the file was altered."),
    "officer-unknown": Problem(403, "This card is not an enrolled officer's card of the class that is needed."),
    "partition-destroyed": Problem(410, "The partition and all its keys were destroyed. Ask for a new one."),
    "action-unknown": Problem(404, "There is no such open action: it was executed, withdrawn or never opened."),
    "action-expired": Problem(409, "The action has expired. Request it again."),
    "action-altered": Problem(409, "The action is not the one that the device opened."),
    "quorum-not-met": Problem(409, "There are not yet enough valid approvals of distinct officers of the class."),
    "requester-cannot-approve": Problem(403, "Whoever requested an action cannot approve it. Ask another officer."),
    "security-key-refused": Problem(403, "That is no signature by the security key as it was enrolled. Use it again."),
    "security-key-counter": Problem(
        409, "The security key's counter did not grow: it was used for something else since, or copied. Sign again."
    ),
    "quorum-rule-refused": Problem(400, "The thresholds are not acceptable: 2 ≤ K ≤ N, but for development devices."),
    "unseal-part-refused": Problem(
        403, "That unseal part is not one in force. After a change of officers: `strongroom officer card receive FILE`."
    ),
    # What the client's own checks say
    "validation-failed": Problem(409, "A validator does not vouch for a key. Nothing was encrypted. Do not go on."),
    "owner-mismatch": Problem(409, "The partition has an owner that is not you. Nothing was encrypted."),
    "receipt-mismatch": Problem(409, "The receipt is not for what was sent. Treat the import as failed."),
    "result-mismatch": Problem(
        409, "The device does not vouch for this answer to what was sent. Rely on nothing in it."
    ),
    "log-inconsistent": Problem(409, "The log was altered, cut or forked. Keep your checkpoints as evidence."),
    "secret-missing": Problem(
        400, "A password, passphrase, PIN or code is needed and none was given. Type it, or name a file that holds it."
    ),
    "configuration": Problem(
        400,
        "The command cannot go on with what it was given, or finds configured. See `strongroom COMMAND --help`.",
    ),
}


class Refused(Exception):
    """A check said no. `code` is from `CATALOGUE`; `detail` never holds key bytes, terms, tokens or payloads."""

    def __init__(self, code: str, detail: str = "") -> None:
        self.problem = CATALOGUE[code]
        self.code = code
        self.detail = detail
        super().__init__(f"{code}: {self.sentence}")

    @property
    def sentence(self) -> str:
        """The detail, or what the catalogue says of the code: never empty."""
        return self.detail or self.problem.sentence
